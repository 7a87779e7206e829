//! Who may do what: users, groups, roles, grants and ownership, as Redshift has them.
//!
//! Objects are named, not numbered: a table that is made and granted in one transaction has no number yet. Whoever
//! drops or renames an object tells [`Principals::forget`], [`Principals::rename_table`] or [`Principals::rename`].
//!
//! Functions and languages are everybody's from the start, as in PostgreSQL and Redshift; what is kept of that is where
//! it was taken.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The superuser that exists from the start.
pub const ADMIN: &str = "admin";
/// Redshift's numbers of users and groups begin here.
const FIRST_ID: i32 = 100;

/// All users and rights of a warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Principals {
    /// The number that the next user, group or role gets; never used again.
    pub next_id: i32,
    /// By name.
    pub users: BTreeMap<String, User>,
    /// By name.
    pub groups: BTreeMap<String, Group>,
    /// By name.
    pub roles: BTreeMap<String, Role>,
    /// What is granted.
    pub grants: BTreeSet<Grant>,
    /// What `ALTER DEFAULT PRIVILEGES` grants on what a user will make.
    pub defaults: BTreeSet<DefaultGrant>,
    /// The owners of schemas; tables and functions know their own.
    pub schema_owners: BTreeMap<String, String>,
    /// Functions and languages that everybody's right was taken from.
    pub withheld: BTreeSet<Securable>,
    /// Users whose new functions are not everybody's (`ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`).
    pub withholding: BTreeSet<String>,
}

impl Default for Principals {
    fn default() -> Self {
        let admin = User { id: FIRST_ID, superuser: true, create_database: true, ..User::default() };
        Self {
            next_id: FIRST_ID + 1,
            users: BTreeMap::from([(ADMIN.to_owned(), admin)]),
            groups: BTreeMap::new(),
            roles: BTreeMap::new(),
            grants: BTreeSet::new(),
            defaults: BTreeSet::new(),
            schema_owners: BTreeMap::new(),
            withheld: BTreeSet::new(),
            withholding: BTreeSet::new(),
        }
    }
}

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// `usesysid`
    pub id: i32,
    /// `CREATEUSER`: may do everything.
    pub superuser: bool,
    /// `CREATEDB`
    pub create_database: bool,
    /// What passwords are checked with; nobody logs in by password where there is none.
    pub verifiers: Verifiers,
    /// `VALID UNTIL`, as PostgreSQL writes it.
    pub valid_until: Option<String>,
    /// `CONNECTION LIMIT`; `None` is UNLIMITED.
    pub connection_limit: Option<u32>,
    /// `SYSLOG ACCESS UNRESTRICTED`: sees others' rows in system tables.
    pub syslog_unrestricted: bool,
    /// `SESSION TIMEOUT`: for how many seconds new sessions may be idle.
    pub session_timeout_sec: Option<u32>,
    /// `EXTERNALID`: what an identity provider calls the user.
    pub external_id: Option<String>,
    /// What new sessions begin with (`ALTER USER … SET`).
    pub settings: BTreeMap<String, String>,
}

/// One-way forms of a password, one for each way of asking for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Verifiers {
    /// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey` (RFC 5803), as in PostgreSQL.
    pub scram: Option<String>,
    /// `md5` and the hexadecimal digest of password and user name.
    pub md5: Option<String>,
    /// `sha256|digest` or `sha256|digest|salt`, hexadecimal, as in Redshift.
    pub sha256: Option<String>,
}

/// A group of users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// `grosysid`
    pub id: i32,
    /// Names of users.
    pub members: BTreeSet<String>,
}

/// A role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Role {
    /// `role_id`
    pub id: i32,
    /// Who made it.
    pub owner: String,
    /// Users and roles that it is granted to.
    pub members: BTreeSet<Grantee>,
}

/// Who gets a right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grantee {
    /// A user.
    User(String),
    /// A group.
    Group(String),
    /// A role.
    Role(String),
    /// Everybody.
    Public,
}

/// What a right is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Securable {
    /// The database `dev`.
    Database,
    /// A schema.
    Schema(String),
    /// A table or view: schema, name.
    Table(String, String),
    /// A column of one: schema, name, column.
    Column(String, String, String),
    /// A function that a user has made: schema, name, its arguments' types.
    Function(String, String, Vec<String>),
    /// A language that functions are written in.
    Language(String),
}

impl Securable {
    /// The right that everybody has on such an object until it is taken.
    pub fn right_of_all(&self) -> Option<Privilege> {
        match self {
            Self::Function(..) => Some(Privilege::Execute),
            Self::Language(_) => Some(Privilege::Usage),
            _ => None,
        }
    }

    /// The schema that it is in.
    fn schema(&self) -> Option<&str> {
        match self {
            Self::Table(schema, _) | Self::Column(schema, ..) | Self::Function(schema, ..) => Some(schema),
            Self::Database | Self::Schema(_) | Self::Language(_) => None,
        }
    }

    /// Whether it is another object or goes with it.
    fn goes_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Column(schema, name, _), Self::Table(of, gone)) => schema == of && name == gone,
            (_, Self::Schema(gone)) if self.schema() == Some(gone.as_str()) => true,
            _ => self == other,
        }
    }
}

/// A right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "they are Redshift's words")]
pub enum Privilege {
    Select,
    Insert,
    Update,
    Delete,
    Truncate,
    Drop,
    Alter,
    References,
    Usage,
    Create,
    Temporary,
    Execute,
}

impl Privilege {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Select,
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::Truncate,
        Self::Drop,
        Self::Alter,
        Self::References,
        Self::Usage,
        Self::Create,
        Self::Temporary,
        Self::Execute,
    ];

    /// Its name in upper case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
            Self::Drop => "DROP",
            Self::Alter => "ALTER",
            Self::References => "REFERENCES",
            Self::Usage => "USAGE",
            Self::Create => "CREATE",
            Self::Temporary => "TEMPORARY",
            Self::Execute => "EXECUTE",
        }
    }

    /// Its letter in an access list (`relacl`), as PostgreSQL's; Redshift's own have those of its documentation.
    pub fn letter(self) -> char {
        match self {
            Self::Select => 'r',
            Self::Insert => 'a',
            Self::Update => 'w',
            Self::Delete => 'd',
            Self::Truncate => 'D',
            Self::Drop => 'P',
            Self::Alter => 'A',
            Self::References => 'x',
            Self::Usage => 'U',
            Self::Create => 'C',
            Self::Temporary => 'T',
            Self::Execute => 'X',
        }
    }
}

/// A right that somebody has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant {
    /// On what.
    pub object: Securable,
    /// Who.
    pub grantee: Grantee,
    /// Which.
    pub privilege: Privilege,
    /// `WITH GRANT OPTION`
    pub grant_option: bool,
    /// Who gave it.
    pub grantor: String,
}

/// What default rights are on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DefaultObjects {
    /// Tables and views.
    #[default]
    Tables,
    /// Functions.
    Functions,
}

/// A right on the tables or functions that a user will make.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DefaultGrant {
    /// Whose.
    pub creator: String,
    /// On what.
    #[serde(default)]
    pub objects: DefaultObjects,
    /// Only those of this schema.
    pub schema: Option<String>,
    /// Who gets it.
    pub grantee: Grantee,
    /// Which.
    pub privilege: Privilege,
    /// `WITH GRANT OPTION`
    pub grant_option: bool,
}

impl Principals {
    /// The next free number.
    pub fn take_id(&mut self) -> i32 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Whether a user may do everything.
    pub fn is_superuser(&self, user: &str) -> bool {
        self.users.get(user).is_some_and(|user| user.superuser)
    }

    /// A user's number; 0 for one that is gone.
    pub fn user_id(&self, user: &str) -> i32 {
        self.users.get(user).map_or(0, |user| user.id)
    }

    /// All that a user's rights may come through: itself, its groups, its roles and theirs, everybody.
    pub fn identities(&self, user: &str) -> BTreeSet<Grantee> {
        let mut found = BTreeSet::from([Grantee::Public, Grantee::User(user.to_owned())]);
        let groups = self.groups.iter().filter(|(_, group)| group.members.contains(user));
        found.extend(groups.map(|(name, _)| Grantee::Group(name.clone())));
        self.add_roles(&mut found);
        found
    }

    /// The roles that a role has, itself or through others, and itself.
    pub fn roles_of(&self, role: &str) -> BTreeSet<Grantee> {
        let mut found = BTreeSet::from([Grantee::Role(role.to_owned())]);
        self.add_roles(&mut found);
        found
    }

    /// Adds the roles that these have, themselves or through others.
    fn add_roles(&self, found: &mut BTreeSet<Grantee>) {
        loop {
            let new: Vec<Grantee> = self
                .roles
                .iter()
                .filter(|(_, role)| role.members.iter().any(|member| found.contains(member)))
                .map(|(name, _)| Grantee::Role(name.clone()))
                .filter(|role| !found.contains(role))
                .collect();
            if new.is_empty() {
                return;
            }
            found.extend(new);
        }
    }

    /// Whether everybody has a right on an object because nobody has taken it.
    pub fn is_open(&self, object: &Securable, privilege: Privilege) -> bool {
        object.right_of_all() == Some(privilege) && !self.withheld.contains(object)
    }

    /// Whether a user has a right on an object by a grant, itself or through a group or role, or as everybody has it.
    pub fn is_granted(&self, user: &str, object: &Securable, privilege: Privilege) -> bool {
        if self.is_open(object, privilege) {
            return true;
        }
        let identities = self.identities(user);
        self.grants
            .iter()
            .any(|grant| grant.object == *object && grant.privilege == privilege && identities.contains(&grant.grantee))
    }

    /// Forgets all rights on an object that is dropped; those on a schema's tables and functions go with the schema.
    pub fn forget(&mut self, object: &Securable) {
        self.grants.retain(|grant| !grant.object.goes_with(object));
        self.withheld.retain(|withheld| !withheld.goes_with(object));
        if let Securable::Schema(name) = object {
            self.schema_owners.remove(name);
            self.defaults.retain(|default| default.schema.as_ref() != Some(name));
        }
    }

    /// Lets rights follow an object to its new name; a table's columns have their own.
    pub fn rename(&mut self, from: &Securable, to: &Securable) {
        let moved = std::mem::take(&mut self.grants).into_iter();
        self.grants = moved
            .map(|grant| if grant.object == *from { Grant { object: to.clone(), ..grant } } else { grant })
            .collect();
        if self.withheld.remove(from) {
            self.withheld.insert(to.clone());
        }
    }

    /// Lets rights follow a table to its new name.
    pub fn rename_table(&mut self, from: (&str, &str), to: (&str, &str)) {
        let table = |(schema, name): (&str, &str)| Securable::Table(schema.to_owned(), name.to_owned());
        let (old, new) = (table(from), table(to));
        let moved = std::mem::take(&mut self.grants).into_iter().map(|grant| match &grant.object {
            object if *object == old => Grant { object: new.clone(), ..grant },
            Securable::Column(schema, name, column) if (schema.as_str(), name.as_str()) == from => {
                let object = Securable::Column(to.0.to_owned(), to.1.to_owned(), column.clone());
                Grant { object, ..grant }
            }
            _ => grant,
        });
        self.grants = moved.collect();
    }

    /// Lets rights follow a column to its new name.
    pub fn rename_column(&mut self, (schema, table): (&str, &str), from: &str, to: &str) {
        let column = |name: &str| Securable::Column(schema.to_owned(), table.to_owned(), name.to_owned());
        self.rename(&column(from), &column(to));
    }

    /// The columns of a table or view that a user has a right on by itself, not through the table.
    pub fn granted_columns(&self, user: &str, (schema, table): (&str, &str), privilege: Privilege) -> BTreeSet<String> {
        let identities = self.identities(user);
        let columns = self.grants.iter().filter(|grant| grant.privilege == privilege).filter_map(|grant| {
            let Securable::Column(of, name, column) = &grant.object else { return None };
            (of == schema && name == table && identities.contains(&grant.grantee)).then(|| column.clone())
        });
        columns.collect()
    }

    /// Whether something is given or taken when a user makes a table or function.
    pub fn has_defaults(&self, creator: &str) -> bool {
        self.withholding.contains(creator) || self.defaults.iter().any(|default| default.creator == creator)
    }

    /// Gives the default rights on a table or function that a user has made.
    pub fn grant_defaults(&mut self, creator: &str, object: &Securable) {
        let objects = match object {
            Securable::Function(..) => DefaultObjects::Functions,
            _ => DefaultObjects::Tables,
        };
        let given = self.defaults.iter().filter(|default| {
            default.creator == creator
                && default.objects == objects
                && default.schema.as_deref().is_none_or(|wanted| object.schema() == Some(wanted))
        });
        let given: Vec<Grant> = given
            .map(|default| Grant {
                object: object.clone(),
                grantee: default.grantee.clone(),
                privilege: default.privilege,
                grant_option: default.grant_option,
                grantor: creator.to_owned(),
            })
            .collect();
        if objects == DefaultObjects::Functions && self.withholding.contains(creator) {
            self.withheld.insert(object.clone());
        }
        self.grants.extend(given);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_come_through_groups_and_roles() {
        let table = Securable::Table("s".to_owned(), "t".to_owned());
        let mut principals = Principals::default();
        let grant = |grantee| Grant {
            object: table.clone(),
            grantee,
            privilege: Privilege::Select,
            grant_option: false,
            grantor: ADMIN.to_owned(),
        };
        let group = Group { id: 1, members: BTreeSet::from(["ann".to_owned()]) };
        principals.groups.insert("g".to_owned(), group);
        let role = |members: &[Grantee]| Role { members: members.iter().cloned().collect(), ..Role::default() };
        principals.roles.insert("inner".to_owned(), role(&[Grantee::Role("outer".to_owned())]));
        principals.roles.insert("outer".to_owned(), role(&[Grantee::User("bob".to_owned())]));
        for (grantee, user, expected) in [
            (Grantee::Group("g".to_owned()), "ann", true),
            (Grantee::Group("g".to_owned()), "bob", false),
            (Grantee::Role("inner".to_owned()), "bob", true),
            (Grantee::Role("inner".to_owned()), "ann", false),
            (Grantee::Public, "eve", true),
        ] {
            principals.grants = BTreeSet::from([grant(grantee.clone())]);
            assert_eq!(principals.is_granted(user, &table, Privilege::Select), expected, "{grantee:?} {user}");
            assert!(!principals.is_granted(user, &table, Privilege::Insert), "{grantee:?} {user}");
        }
        principals.rename_table(("s", "t"), ("s", "u"));
        assert!(!principals.is_granted("eve", &table, Privilege::Select));
        principals.forget(&Securable::Schema("s".to_owned()));
        assert!(principals.grants.is_empty());
    }

    #[test]
    fn functions_are_everybodys_until_that_is_taken() {
        let function = |name: &str| Securable::Function("s".to_owned(), name.to_owned(), vec!["integer".to_owned()]);
        let mut principals = Principals::default();
        assert!(principals.is_granted("eve", &function("f"), Privilege::Execute));
        assert!(!principals.is_granted("eve", &function("f"), Privilege::Usage));
        principals.withheld.insert(function("f"));
        principals.rename(&function("f"), &function("g"));
        assert!(principals.is_granted("eve", &function("f"), Privilege::Execute));
        assert!(!principals.is_granted("eve", &function("g"), Privilege::Execute));
        principals.forget(&function("g"));
        assert!(principals.is_granted("eve", &function("g"), Privilege::Execute));
    }

    #[test]
    fn what_a_user_makes_gets_the_default_rights() {
        let function = Securable::Function("s".to_owned(), "f".to_owned(), Vec::new());
        let table = Securable::Table("s".to_owned(), "t".to_owned());
        let default = |schema: Option<&str>, user: &str| DefaultGrant {
            creator: "ann".to_owned(),
            objects: DefaultObjects::Functions,
            schema: schema.map(str::to_owned),
            grantee: Grantee::User(user.to_owned()),
            privilege: Privilege::Execute,
            grant_option: false,
        };
        let mut principals = Principals {
            defaults: BTreeSet::from([default(None, "bob"), default(Some("other"), "eve")]),
            withholding: BTreeSet::from(["ann".to_owned()]),
            ..Principals::default()
        };
        principals.grant_defaults("ann", &function);
        principals.grant_defaults("ann", &table);
        assert!(principals.is_granted("bob", &function, Privilege::Execute));
        assert!(!principals.is_granted("eve", &function, Privilege::Execute));
        assert!(principals.grants.iter().all(|grant| grant.object == function));
        principals.forget(&Securable::Schema("s".to_owned()));
        assert!(principals.is_granted("eve", &function, Privilege::Execute));
    }
}
