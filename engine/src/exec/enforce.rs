//! Rights that statements need besides those to read, which `resolve` checks; and what becomes of rights afterwards.

use crate::error::{ErrorKind, Result};
use crate::federated::Place;
use crate::resolve::{self, Relation, rights};
use crate::session::{Context, RightsChange};
use crate::sql::{
    AlterOperation, CopyFormat, CreateTableAs, JsonMapping, MaterializedViewStatement, ObjectName, Statement, Update,
};
use millrace_catalog::model::{ADMIN, Principals, Privilege, Securable};

/// Refuses a statement that the user has no right to.
///
/// # Errors
/// `InsufficientPrivilege`, and what is wrong with the names.
pub(super) async fn check(context: &Context, statement: &Statement) -> Result<()> {
    let snapshot = context.snapshot().await?;
    if snapshot.principals().is_superuser(&context.who().user) {
        return Ok(());
    }
    match statement {
        Statement::Explain(explain) => Box::pin(check(context, &explain.statement)).await,
        Statement::Insert(insert) => table(context, &insert.table, &[Privilege::Insert]).await,
        Statement::Update(update) => changed_columns(context, update).await,
        Statement::Delete(delete) => table(context, &delete.table, &[Privilege::Delete]).await,
        Statement::Merge(merge) => {
            table(context, &merge.table, &[Privilege::Insert, Privilege::Update, Privilege::Delete]).await
        }
        Statement::Copy(copy) => {
            place(context, Some(&copy.source)).await?;
            if copy.manifest {
                // It may name places that the statement does not show.
                rights::check_superuser(context, "load what a manifest names").await?;
            }
            if let CopyFormat::Json(JsonMapping::Paths(paths)) | CopyFormat::Avro(JsonMapping::Paths(paths)) =
                &copy.format
            {
                place(context, Some(paths)).await?;
            }
            if copy.statistics_update == Some(true) {
                owned_or(context, &copy.table, Privilege::Alter).await?;
            }
            table(context, &copy.table, &[Privilege::Insert]).await
        }
        Statement::CopyIn(copy) => table(context, &copy.table, &[Privilege::Insert]).await,
        Statement::Unload(unload) => place(context, Some(&unload.target)).await,
        Statement::Truncate(name) => table(context, name, &[Privilege::Truncate]).await,
        Statement::Lock(names) => {
            for name in names {
                table(context, name, &[Privilege::Select]).await?;
            }
            Ok(())
        }
        Statement::CreateTable(create) if create.temporary => Ok(()),
        Statement::CreateTable(create) => create_in(context, &create.name).await,
        Statement::Vacuum(_) | Statement::AnalyzeCompression(_) => {
            rights::check_superuser(context, "maintain tables").await
        }
        Statement::CreateTableAs(create) => {
            place(context, location_of(create)).await?;
            create_in(context, &create.name).await
        }
        Statement::CreateExternalTable(create) => {
            place(context, create.location.as_deref()).await?;
            create_in(context, &create.name).await
        }
        Statement::CreateView(create) => {
            create_in(context, &create.name).await?;
            let (schema, name) = resolve::qualify(&snapshot, &create.name, context.database())?;
            match snapshot.table(&schema, &name) {
                Some(view) if create.or_replace => rights::check_owner(context, &name, view.owner.as_ref()).await,
                _ => Ok(()),
            }
        }
        Statement::CreateFunction(create) => {
            create_in(context, &create.name).await?;
            rights::check_language(context, "sql").await
        }
        Statement::MaterializedView(MaterializedViewStatement::Create { table, .. }) => {
            create_in(context, &table.name).await
        }
        Statement::CreateDatabase(_) | Statement::CreateExternalSchema(_) | Statement::CreateConnectorSchema(_) => {
            if rights::may_on_database(snapshot.principals(), &context.who().user, Privilege::Create) {
                return Ok(());
            }
            Err(rights::denied("database", crate::system::DATABASE))
        }
        Statement::DropDatabase(drop) => {
            let owner = snapshot.principals().schema_owners.get(&drop.name).map_or(ADMIN, String::as_str);
            if owner == context.who().user { Ok(()) } else { Err(rights::denied("schema", &drop.name)) }
        }
        Statement::DropTable(drop) => {
            for name in &drop.names {
                match owned_or(context, name, Privilege::Drop).await {
                    Err(error) if drop.if_exists && super::ddl::is_missing(&error) => {}
                    other => other?,
                }
            }
            Ok(())
        }
        Statement::AlterTable(alter) => {
            match &alter.operation {
                AlterOperation::SetLocation(location) | AlterOperation::SetPartitionLocation { location, .. } => {
                    place(context, Some(location)).await?;
                }
                AlterOperation::AddPartitions { partitions, .. } => {
                    for (_, location) in partitions {
                        place(context, location.as_deref()).await?;
                    }
                }
                AlterOperation::AppendFrom { source, .. } => owned_or(context, source, Privilege::Drop).await?,
                AlterOperation::Owner(_) => rights::check_superuser(context, "change the owner of a table").await?,
                AlterOperation::RenameTable(to) if to.parts.len() > 1 => create_in(context, to).await?,
                _ => {}
            }
            owned_or(context, &alter.table, Privilege::Alter).await
        }
        Statement::RepairTable(repair) => owned_or(context, &repair.table, Privilege::Alter).await,
        Statement::Analyze(analyze) => match &analyze.table {
            Some(name) => owned_or(context, name, Privilege::Alter).await,
            None => rights::check_superuser(context, "analyze all tables").await,
        },
        Statement::Comment(_) => rights::check_superuser(context, "comment on what it does not own").await,
        Statement::AlterSystem(..) => rights::check_superuser(context, "alter the system").await,
        Statement::Crawler(_) => rights::check_superuser(context, "use crawlers").await,
        Statement::CreateSnapshot(_) | Statement::DropSnapshot { .. } | Statement::RestoreTable(_) => {
            rights::check_superuser(context, "manage snapshots").await
        }
        _ => Ok(()),
    }
}

/// Whether the user may update a table, or every column that a statement sets.
async fn changed_columns(context: &Context, update: &Update) -> Result<()> {
    let Err(denied) = table(context, &update.table, &[Privilege::Update]).await else { return Ok(()) };
    let ((schema, table), _) = owner_of(context, &update.table).await?;
    let snapshot = context.snapshot().await?;
    let (principals, user) = (snapshot.principals(), &context.who().user);
    let granted = principals.granted_columns(user, (&schema, &table), Privilege::Update);
    let all = update.assignments.iter().all(|assignment| granted.contains(&assignment.column));
    if all && rights::may_on_schema(principals, user, &schema, Privilege::Usage) { Ok(()) } else { Err(denied) }
}

/// Whether the user has every one of these rights on a table.
async fn table(context: &Context, name: &ObjectName, wanted: &[Privilege]) -> Result<()> {
    let ((schema, table), owner) = owner_of(context, name).await?;
    for right in wanted {
        rights::check_table(context, (&schema, &table), owner.as_ref(), *right).await?;
    }
    Ok(())
}

/// Whether the user owns a table or has this right on it.
async fn owned_or(context: &Context, name: &ObjectName, right: Privilege) -> Result<()> {
    let ((schema, table), owner) = owner_of(context, name).await?;
    match rights::check_table(context, (&schema, &table), owner.as_ref(), right).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind == ErrorKind::InsufficientPrivilege => {
            rights::check_owner(context, &table, owner.as_ref()).await
        }
        Err(error) => Err(error),
    }
}

async fn owner_of(context: &Context, name: &ObjectName) -> Result<((String, String), Option<String>)> {
    Ok(match resolve::find_relation(context, name).await? {
        Relation::Managed(table) => ((table.schema.clone(), table.name.clone()), table.attributes.owner.clone()),
        Relation::Catalog(table) => ((table.database.clone(), table.name.clone()), table.owner.clone()),
        Relation::Foreign(table) => {
            let owner = resolve::owner_of_foreign(context.snapshot().await?.as_ref(), &table);
            ((table.schema.clone(), table.name.clone()), owner)
        }
    })
}

async fn create_in(context: &Context, name: &ObjectName) -> Result<()> {
    let snapshot = context.snapshot().await?;
    let (schema, _) = resolve::qualify(&snapshot, name, context.database())?;
    rights::check_schema(context, &schema, Privilege::Create).await
}

fn location_of(create: &CreateTableAs) -> Option<&str> {
    let found = create.properties.iter().find(|(name, _)| name == "external_location" || name == "location");
    match found {
        Some((_, crate::sql::PropertyValue::Text(location))) => Some(location),
        _ => None,
    }
}

/// Refuses places on the server's own disks: only superusers read and write there.
async fn place(context: &Context, location: Option<&str>) -> Result<()> {
    match location {
        Some(location)
            if Place::of(location).is_none()
                && !["s3://", "s3a://"].iter().any(|scheme| location.starts_with(scheme)) =>
        {
            rights::check_superuser(context, "name places on the server's disks").await
        }
        _ => Ok(()),
    }
}

/// The tables that a statement drops or alters, by schema and name, as they are before it. Temporary ones, which
/// nobody is granted, are left out, and so is what does not exist.
pub(super) async fn named(context: &Context, statement: &Statement) -> Result<Vec<(String, String)>> {
    let names = match statement {
        Statement::DropTable(dropped) => dropped.names.as_slice(),
        Statement::AlterTable(alter) => std::slice::from_ref(&alter.table),
        Statement::MaterializedView(MaterializedViewStatement::Drop { names, .. }) => names.as_slice(),
        _ => return Ok(Vec::new()),
    };
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        match owner_of(context, name).await {
            Ok((place, _)) if !context.transaction().lock().await.temporary().is_schema(&place.0) => found.push(place),
            Ok(_) => {}
            Err(error) if super::ddl::is_missing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Keeps rights true after a statement that made, renamed or dropped something; `named` are the tables that it named.
pub(super) async fn after(context: &Context, statement: &Statement, named: &[(String, String)]) -> Result<()> {
    let snapshot = context.snapshot().await?;
    let principals = snapshot.principals();
    let user = &context.who().user;
    let names = |name: &ObjectName, default: &str| resolve::qualify(&snapshot, name, default).ok();
    let created = match statement {
        Statement::CreateTable(create) if !create.temporary => Some(&create.name),
        Statement::CreateTableAs(create) => Some(&create.name),
        Statement::CreateExternalTable(create) => Some(&create.name),
        Statement::CreateView(create) => Some(&create.name),
        Statement::MaterializedView(MaterializedViewStatement::Create { table, .. }) => Some(&table.name),
        _ => None,
    };
    if let Some((schema, name)) = created.and_then(|name| names(name, context.database()))
        && principals.defaults.iter().any(|default| default.creator == *user)
    {
        let (user, table) = (user.clone(), Securable::Table(schema, name));
        return change(context, move |principals| principals.grant_defaults(&user, &table)).await;
    }
    match statement {
        Statement::DropDatabase(dropped) => {
            let object = Securable::Schema(dropped.name.clone());
            change(context, move |principals| principals.forget(&object)).await
        }
        Statement::DropTable(_) | Statement::MaterializedView(MaterializedViewStatement::Drop { .. })
            if !principals.grants.is_empty() =>
        {
            let gone = named.iter().cloned();
            let gone: Vec<Securable> = gone.map(|(schema, name)| Securable::Table(schema, name)).collect();
            change(context, move |principals| gone.iter().for_each(|object| principals.forget(object))).await
        }
        Statement::AlterTable(alter) if !principals.grants.is_empty() => {
            let Some((schema, name)) = named.first().cloned() else { return Ok(()) };
            let to = match &alter.operation {
                AlterOperation::RenameTable(to) => to,
                AlterOperation::RenameColumn { old, new } => {
                    let (old, new) = (old.clone(), new.clone());
                    return change(context, move |principals| principals.rename_column((&schema, &name), &old, &new))
                        .await;
                }
                AlterOperation::DropColumn(column, _) => {
                    let gone = Securable::Column(schema, name, column.clone());
                    return change(context, move |principals| principals.forget(&gone)).await;
                }
                _ => return Ok(()),
            };
            let default = if to.parts.len() == 1 { schema.as_str() } else { context.database() };
            let Some((to_schema, to_name)) = names(to, default) else { return Ok(()) };
            change(context, move |principals| principals.rename_table((&schema, &name), (&to_schema, &to_name))).await
        }
        _ => Ok(()),
    }
}

/// Forgets the rights on a view, plain or materialized, that goes with what it reads when the transaction commits.
pub(super) async fn forget(context: &Context, schema: &str, name: &str) -> Result<()> {
    if context.snapshot().await?.principals().grants.is_empty() {
        return Ok(());
    }
    let gone = Securable::Table(schema.to_owned(), name.to_owned());
    let forgotten = RightsChange::new(move |principals| principals.forget(&gone));
    context.transaction().lock().await.change_rights(context.warehouse(), forgotten).await
}

/// Changes rights now; in a block for it alone, and for all when it commits.
async fn change(context: &Context, change: impl Fn(&mut Principals) + Send + Sync + 'static) -> Result<()> {
    let mut transaction = context.transaction().lock().await;
    if transaction.is_block() {
        return transaction.change_rights(context.warehouse(), RightsChange::new(change)).await;
    }
    drop(transaction);
    let changed = context.catalog().change_principals(|principals| {
        change(principals);
        Ok::<(), crate::error::Error>(())
    });
    changed.await?
}
