//! Secrets taken out of a statement's text before anybody keeps it.

use regex::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

/// A word that a secret follows, and the secret: a string of any kind.
static SECRET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words = "password|credentials|access_key_id|secret_access_key|session_token|master_symmetric_key|kms_key_id\
                 |api_key|token";
    let string = r"e?'(?:[^'\\]|''|\\.)*(?:'|$)|\$\w*\$.*?(?:\$\w*\$|$)";
    Regex::new(&format!(r#"(?is)\b((?:{words})(?:"\s*|(?:\s+as)?(?:\s*=\s*|\s+)))(?:{string})"#)).ok()
});

/// The user and password of a URL, up to the password.
static IN_URL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(://[^/@\s':]*:)[^/@\s']+@").ok());

/// A statement's text with `'***'` for every secret in it.
pub(crate) fn mask(text: &str) -> Cow<'_, str> {
    let (Some(secret), Some(in_url)) = (&*SECRET, &*IN_URL) else { return Cow::Borrowed("") };
    match secret.replace_all(text, "$1'***'") {
        Cow::Borrowed(text) => in_url.replace_all(text, "$1***@"),
        Cow::Owned(text) => Cow::Owned(in_url.replace_all(&text, "$1***@").into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        for (text, masked) in [
            ("select 'password'", "select 'password'"),
            ("create user a password 'S3cret'", "create user a password '***'"),
            ("alter user a PASSWORD\n'it''s'", "alter user a PASSWORD\n'***'"),
            (
                "copy t from 's3://b' credentials as 'aws_access_key_id=A;aws_secret_access_key=B' csv",
                "copy t from 's3://b' credentials as '***' csv",
            ),
            (
                "copy t from 'x' access_key_id 'A' secret_access_key 'B'",
                "copy t from 'x' access_key_id '***' secret_access_key '***'",
            ),
            ("create user a password 'unfinished", "create user a password '***'"),
            ("copy t from 'x' credentials E'a\\'b;c' csv", "copy t from 'x' credentials '***' csv"),
            ("copy t from 'x' secret_access_key $$it's$$ csv", "copy t from 'x' secret_access_key '***' csv"),
            ("options (API_KEY 'k', \"token\" 't', size '3')", "options (API_KEY '***', \"token\" '***', size '3')"),
            ("from opensearch 'https://u:p@host:9200/x'", "from opensearch 'https://u:***@host:9200/x'"),
            ("select 'at http://host:80/a@b'", "select 'at http://host:80/a@b'"),
            ("copy t from 'x' secret_access_key $q$open", "copy t from 'x' secret_access_key '***'"),
        ] {
            assert_eq!(mask(text), masked);
        }
    }
}
