//! Our statements about users and their rights.

use crate::sql::{FunctionName, ObjectName};
use millrace_catalog::model::{Grantee, Privilege};

/// A statement about users, groups, roles or rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalStatement {
    /// `CREATE USER`
    CreateUser {
        /// Its name.
        name: String,
        /// Its options.
        options: UserOptions,
    },
    /// `ALTER USER`
    AlterUser {
        /// Which.
        name: String,
        /// What changes.
        change: UserChange,
    },
    /// `DROP USER [IF EXISTS] a, b`
    DropUsers {
        /// Which.
        names: Vec<String>,
        /// Do nothing for those that do not exist.
        if_exists: bool,
    },
    /// `CREATE GROUP g [[WITH] USER a, b]`
    CreateGroup {
        /// Its name.
        name: String,
        /// Users.
        members: Vec<String>,
    },
    /// `ALTER GROUP g {ADD|DROP} USER a, b`
    ChangeGroup {
        /// Which.
        name: String,
        /// `ADD`
        add: bool,
        /// Users.
        members: Vec<String>,
    },
    /// `ALTER GROUP g RENAME TO h`
    RenameGroup {
        /// Which.
        name: String,
        /// Its new name.
        to: String,
    },
    /// `DROP GROUP`
    DropGroups {
        /// Which.
        names: Vec<String>,
        /// Do nothing for those that do not exist.
        if_exists: bool,
    },
    /// `CREATE ROLE r`
    CreateRole(String),
    /// `ALTER ROLE r RENAME TO s`
    RenameRole {
        /// Which.
        name: String,
        /// Its new name.
        to: String,
    },
    /// `ALTER ROLE r OWNER TO u`
    RoleOwner {
        /// Which.
        name: String,
        /// A user.
        owner: String,
    },
    /// `DROP ROLE`
    DropRoles {
        /// Which.
        names: Vec<String>,
        /// Do nothing for those that do not exist.
        if_exists: bool,
        /// `FORCE`: take it from all who have it.
        force: bool,
    },
    /// `GRANT ROLE`, `REVOKE ROLE`
    Roles {
        /// Whether they are given.
        grant: bool,
        /// Which.
        roles: Vec<String>,
        /// Whom.
        grantees: Vec<Grantee>,
    },
    /// `GRANT … ON …`, `REVOKE … ON …`
    Privileges(PrivilegesChange),
    /// `ALTER DEFAULT PRIVILEGES`
    DefaultPrivileges {
        /// `FOR USER`; empty is the current one.
        creators: Vec<String>,
        /// `IN SCHEMA`; empty is everywhere.
        schemas: Vec<String>,
        /// What is given or taken, on tables or functions that nobody names.
        change: PrivilegesChange,
    },
    /// `ALTER SCHEMA s OWNER TO u`
    SchemaOwner {
        /// Which.
        name: String,
        /// A user.
        owner: String,
    },
    /// `SET SESSION AUTHORIZATION`; `None` is DEFAULT.
    Authorization(Option<String>),
}

/// What GRANT gives or REVOKE takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivilegesChange {
    /// GRANT.
    pub grant: bool,
    /// `WITH GRANT OPTION`, `GRANT OPTION FOR`
    pub option: bool,
    /// Which; `None` is ALL.
    pub privileges: Option<Vec<Privilege>>,
    /// Rights on columns: `SELECT (a, b)`; `None` is ALL.
    pub columns: Vec<(Option<Privilege>, Vec<String>)>,
    /// On what.
    pub objects: GrantObjects,
    /// Whom.
    pub grantees: Vec<Grantee>,
}

/// What stands after ON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantObjects {
    /// `[TABLE] t, u`
    Tables(Vec<ObjectName>),
    /// `ALL TABLES IN SCHEMA s, t`
    AllTables(Vec<String>),
    /// `SCHEMA s, t`
    Schemas(Vec<String>),
    /// `DATABASE d, e`
    Databases(Vec<String>),
    /// `FUNCTION f(int), g()`
    Functions(Vec<FunctionName>),
    /// `ALL FUNCTIONS IN SCHEMA s, t`
    AllFunctions(Vec<String>),
    /// `PROCEDURE p()`
    Procedures(Vec<FunctionName>),
    /// `ALL PROCEDURES IN SCHEMA s, t`
    AllProcedures(Vec<String>),
    /// `LANGUAGE sql`
    Languages(Vec<String>),
}

/// The options of CREATE and ALTER USER; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserOptions {
    /// `PASSWORD`
    pub password: Option<UserPassword>,
    /// `CREATEDB`, `NOCREATEDB`
    pub create_database: Option<bool>,
    /// `CREATEUSER`, `NOCREATEUSER`
    pub superuser: Option<bool>,
    /// `SYSLOG ACCESS`
    pub syslog_unrestricted: Option<bool>,
    /// `IN GROUP`
    pub groups: Vec<String>,
    /// `VALID UNTIL`
    pub valid_until: Option<String>,
    /// `CONNECTION LIMIT`; the inner `None` is UNLIMITED.
    pub connection_limit: Option<Option<u32>>,
    /// `SESSION TIMEOUT`, in seconds; the inner `None` is `RESET SESSION TIMEOUT`.
    pub session_timeout_sec: Option<Option<u32>>,
    /// `EXTERNALID`
    pub external_id: Option<String>,
}

/// `PASSWORD`
#[derive(Clone, PartialEq, Eq)]
pub enum UserPassword {
    /// `DISABLE`: no password lets in.
    Disable,
    /// In clear, or hashed as `md5…` or `sha256|…`.
    Text(String),
}

// A password is never printed.
impl std::fmt::Debug for UserPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Disable => "Disable",
            Self::Text(_) => "Text(…)",
        })
    }
}

/// What ALTER USER changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// `RENAME TO`
    Rename(String),
    /// `SET name = value`; `None` is DEFAULT and RESET.
    Set(String, Option<String>),
    /// The options of CREATE USER.
    Options(Box<UserOptions>),
}
