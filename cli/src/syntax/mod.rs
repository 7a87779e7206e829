//! SQL as the shell sees it: tokens for colours, prompts and completion, and where one statement ends.
//!
//! Nothing here judges a text: the engine's parser does that. Every text has tokens, however broken it is.

mod keywords;
mod lexer;
mod split;

pub(crate) use keywords::{KEYWORDS, is_keyword};
pub(crate) use lexer::{Kind, Token, tokens};
pub(crate) use split::{Open, split};
