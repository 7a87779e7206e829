//! How COPY and UNLOAD say with whose rights they reach their files: keys for the one statement, or a role.
//!
//! A role is whatever the warehouse is configured with, for there is no service here that would hand one out.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::cursor::Cursor;
use crate::sql::{Access, AccessKeys};

/// What was said so far.
#[derive(Default)]
pub(super) struct Authorization {
    role: bool,
    key: Option<String>,
    secret: Option<String>,
    token: Option<String>,
}

impl Authorization {
    /// Reads a clause, when one comes next.
    ///
    /// # Errors
    /// `Syntax` for one that comes twice or is none.
    pub(super) fn clause(&mut self, cursor: &mut Cursor) -> Result<bool> {
        let position = cursor.position();
        let at = |error: Error| error.with_position(position);
        let (word, slot) = if cursor.eat("WITH CREDENTIALS") || cursor.eat("CREDENTIALS") {
            cursor.eat("AS");
            let text = cursor.string()?;
            self.pairs(&text).map_err(at)?;
            return Ok(true);
        } else if cursor.eat("IAM_ROLE") {
            cursor.eat("AS");
            if !cursor.eat("DEFAULT") {
                cursor.string()?;
            }
            if std::mem::replace(&mut self.role, true) {
                return Err(at(twice("IAM_ROLE")));
            }
            return Ok(true);
        } else if cursor.eat("ACCESS_KEY_ID") {
            ("ACCESS_KEY_ID", &mut self.key)
        } else if cursor.eat("SECRET_ACCESS_KEY") {
            ("SECRET_ACCESS_KEY", &mut self.secret)
        } else if cursor.eat("SESSION_TOKEN") {
            ("SESSION_TOKEN", &mut self.token)
        } else {
            return Ok(false);
        };
        cursor.eat("AS");
        match slot.replace(cursor.string()?) {
            None => Ok(true),
            Some(_) => Err(at(twice(word))),
        }
    }

    /// `aws_access_key_id=…;aws_secret_access_key=…[;token=…]` or `aws_iam_role=…`
    fn pairs(&mut self, text: &str) -> Result<()> {
        for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
            // No part of the text goes into an error: it may be the secret.
            let Some((name, value)) = pair.split_once('=') else {
                return Err(Error::new(ErrorKind::Syntax, "invalid credentials: expected \"name=value;…\""));
            };
            let slot = match name.trim().to_ascii_lowercase().as_str() {
                "aws_access_key_id" => &mut self.key,
                "aws_secret_access_key" => &mut self.secret,
                "token" | "aws_session_token" => &mut self.token,
                "aws_iam_role" if !self.role => {
                    self.role = true;
                    continue;
                }
                "aws_iam_role" => return Err(twice("aws_iam_role")),
                "master_symmetric_key" => return Err(Error::unsupported("CREDENTIALS with a master_symmetric_key")),
                _ => {
                    let message = "invalid credentials: unknown name";
                    let detail = "known are aws_access_key_id, aws_secret_access_key, token, aws_iam_role";
                    return Err(Error::new(ErrorKind::Syntax, message).with_detail(detail));
                }
            };
            if slot.replace(value.trim().to_owned()).is_some() {
                return Err(twice("CREDENTIALS"));
            }
        }
        Ok(())
    }

    /// The statement's access.
    ///
    /// # Errors
    /// `Syntax` for keys that are not whole, or a role beside them.
    pub(super) fn finish(self, region: Option<String>) -> Result<Access> {
        let wrong = |message: &str| Err(Error::new(ErrorKind::Syntax, message));
        let keys = match (self.key, self.secret, self.token) {
            (Some(key_id), Some(secret), token) => Some(AccessKeys { key_id, secret, token }),
            (None, None, None) => None,
            (Some(_), None, _) => return wrong("ACCESS_KEY_ID needs SECRET_ACCESS_KEY"),
            (None, Some(_), _) => return wrong("SECRET_ACCESS_KEY needs ACCESS_KEY_ID"),
            (None, None, Some(_)) => return wrong("SESSION_TOKEN needs ACCESS_KEY_ID and SECRET_ACCESS_KEY"),
        };
        if self.role && keys.is_some() {
            return wrong("conflicting or redundant options: IAM_ROLE and access keys");
        }
        Ok(Access { keys, region })
    }
}

fn twice(word: &str) -> Error {
    Error::new(ErrorKind::Syntax, format!("conflicting or redundant options: {word}"))
}
