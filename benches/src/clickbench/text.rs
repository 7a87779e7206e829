//! Generated texts: addresses, titles and phrases of words that are made of syllables.

use crate::numbers::{hashed, skewed};
use std::fmt::Write;

const LATIN: [&str; 24] = [
    "ka", "mo", "ri", "ten", "lo", "vi", "sha", "do", "ne", "pur", "gi", "ba", "sto", "ly", "fe", "ro", "za", "kin",
    "to", "me", "us", "ar", "in", "el",
];
const CYRILLIC: [&str; 24] = [
    "ка", "мо", "ри", "тен", "ло", "ви", "ша", "до", "не", "пур", "ги", "ба", "сто", "лы", "фе", "ро", "за", "кин",
    "то", "ме", "ус", "ар", "ин", "ель",
];
/// Different words of titles and phrases.
const WORDS: u64 = 30_000;
const MAKERS: [&str; 8] = ["iPad", "iPhone", "Nokia", "HTC", "Samsung", "LG", "Sony", "Lumia"];

/// The word of a number.
fn push_word(syllables: &[&str; 24], word: u64, out: &mut String) {
    let hash = hashed(word, 40);
    for at in 0..2 + hash % 3 {
        out.push_str(syllables[(hash >> (8 + 8 * at)) as usize % syllables.len()]);
    }
}

fn push_words(count: u64, key: u64, out: &mut String) {
    for at in 0..count {
        if at > 0 {
            out.push(' ');
        }
        push_word(&CYRILLIC, skewed(hashed(key, 50 + at), WORDS, 3), out);
    }
}

/// A small text of so many different ones.
pub(super) fn push_name(number: u64, out: &mut String) {
    push_word(&LATIN, number, out);
    let _ = write!(out, "{number}");
}

fn push_host(site: u64, out: &mut String) {
    out.push_str(if site.is_multiple_of(3) { "www." } else { "" });
    push_word(&LATIN, site, out);
    let _ = write!(out, "{site}.{}", if site.is_multiple_of(5) { "com" } else { "ru" });
}

/// A page's address.
pub(super) fn push_url(site: u64, page: u64, out: &mut String) {
    out.push_str(if page.is_multiple_of(11) { "https://" } else { "http://" });
    push_host(site, out);
    for at in 0..=(page % 3) {
        out.push('/');
        push_word(&LATIN, skewed(hashed(page, 60 + at), 400, 2), out);
    }
    match page % 6_000 {
        0 => out.push_str("/google.html"),
        1 => out.push_str("/redirect?to=http://www.google.ru/"),
        _ if page % 4 < 3 => {
            let _ = write!(out, "/{}?id={}&sort={}", page % 100_000, hashed(page, 64) % 10_000_000, page % 7);
        }
        _ => out.push('/'),
    }
}

/// A page's title; one of eight has none.
pub(super) fn push_title(page: u64, out: &mut String) {
    let key = hashed(page, 70);
    if key.is_multiple_of(8) {
        return;
    }
    push_words(3 + key % 8, key, out);
    match key % 3_000 {
        1 => out.push_str(" - Google"),
        _ if key.is_multiple_of(2) => out.push_str(" | купить"),
        _ => {}
    }
}

/// What was searched for.
pub(super) fn push_phrase(phrase: u64, out: &mut String) {
    push_words(1 + hashed(phrase, 80) % 5, hashed(phrase, 81), out);
    if phrase.is_multiple_of(4) {
        let _ = write!(out, " {}", phrase % 2_014);
    }
}

/// The address of the search for a phrase.
pub(super) fn push_search(phrase: u64, out: &mut String) {
    out.push_str(if phrase.is_multiple_of(6) {
        "http://www.google.ru/search?q="
    } else {
        "http://yandex.ru/yandsearch?text="
    });
    push_phrase(phrase, out);
    let _ = write!(out, "&lr={}", phrase % 240);
}

/// A telephone's model.
pub(super) fn push_model(number: u64, out: &mut String) {
    out.push_str(MAKERS[number as usize % MAKERS.len()]);
    if number >= MAKERS.len() as u64 {
        let _ = write!(out, " {number}");
    }
}
