"""What may differ from Trino, and why: name, reason, and whether it is that, told by how it differs, our SQL and both outcomes.

How it differs is one of: "lax" (only Trino refuses it), "refused" (only we do), "fails", "does not fail", "value", "type",
"typeof fails". What is lax and not here is counted too, without a name.
"""

import re

LATER = ("array_first|array_last|bitwise_xor_agg|cosine_distance|cosine_similarity|dot_product|euclidean_distance|great_circle_distance|timezone|set_agg")
SHARED = "octet_length|btrim|ascii|title_case|lpad|rpad"


def missing(names):
    return lambda what, sql, ours, theirs: (what == "lax" and theirs.code == "FUNCTION_NOT_FOUND"
                                            and re.search(rf"(Function '|for function )({names})\b", theirs.message))


def plain_types(outcome):
    """A type with varchar for what is a text here."""
    return re.sub(r"\bchar\(\d+\)", "varchar", re.sub(r"varchar\(\d+\)", "varchar", outcome.rows[0][0]))


def without_zeros(outcome):
    """Texts without the zeros that stand for parts of a second."""
    return re.sub(r"(:\d\d)\.0+(?!\d)", r"\1", f"{outcome.rows}")


def without_escapes(outcome):
    """Texts with the characters that pairs of escapes stand for."""
    pair = r"\\+u([dD][89abAB][0-9a-fA-F]{2})\\+u([dD][c-fC-F][0-9a-fA-F]{2})"
    return re.sub(pair, lambda found: bytes.fromhex(found[1] + found[2]).decode("utf-16-be"), f"{outcome.rows}")


DIFFERENCES = [
    ("functions that Athena has and Trino 435 has not", "AWS added them, or Trino later, or they are in a plugin of Trino's", missing(LATER)),
    ("functions of both dialects", "what Redshift has and Trino has not is taken too", missing(SHARED)),
    ("ILIKE and SIMILAR TO", "they are taken in both dialects", lambda what, sql, ours, theirs: what == "lax" and re.search(r"\bILIKE\b|\bSIMILAR TO\b", sql)),
    ("JSON_TABLE", "Trino 435 cannot send such a plan to itself", lambda what, sql, ours, theirs: theirs.code == "REMOTE_TASK_ERROR"),
    ("types of texts", "CHAR is a text to typeof, which has no lengths",
     lambda what, sql, ours, theirs: (what == "type" or what == "value" and re.search(r"(?i)\btypeof\(", sql)) and ours.rows[0][0] == plain_types(theirs)),
    ("zones that differ by row", "a column has one zone", lambda what, sql, ours, theirs: what in ("refused", "fails") and ours.code == "0A000" and "zone" in ours.message),
    ("comparisons of rows and arrays with NULL in them", "Trino refuses them when it meets one",
     lambda what, sql, ours, theirs: what == "lax" and "comparison not supported for" in theirs.message),
    ("digits of times", "times have three, as in Athena, whatever a literal has",
     lambda what, sql, ours, theirs: what == "type" and re.sub(r"\btime\(\d+\)", "time(3)", plain_types(theirs)) == ours.rows[0][0]),
    ("characters beyond U+FFFF in JSON", "Trino's writer has escapes for them, whose value is the same",
     lambda what, sql, ours, theirs: what == "value" and without_escapes(ours) == without_escapes(theirs)),
    ("digits of moments", "moments have three, as in Athena, whatever a literal has",
     lambda what, sql, ours, theirs: what == "value" and without_zeros(ours) == without_zeros(theirs)),
    ("what is refused by both", "what is not supported says so", lambda what, sql, ours, theirs: ours.code == "0A000" and theirs.message and "not supported" in theirs.message),
    ("what is wrong for both", "it is found before or after something runs", lambda what, sql, ours, theirs: what == "refused" and theirs.code and ours.code.startswith("42")),
    ("a largest or smallest of distinct values with a number of them", "it is refused", lambda what, sql, ours, theirs: what == "refused" and ours.code == "0A000" and re.search(r"(?i)\b(max|min)_by\(DISTINCT|approx_percentile\(DISTINCT", sql)),
    ("stems of Lithuanian and others", "the stemmer has fewer languages, and says so", lambda what, sql, ours, theirs: what == "refused" and ours.code == "0A000" and "word_stem" in ours.message),
    ("set digests of decimals", "Trino hashes a decimal's unscaled number; they are refused", lambda what, sql, ours, theirs: what == "refused" and ours.code == "42804" and "make_set_digest" in sql),
    ("arguments beside a NULL", "they are computed, and may be wrong",
     lambda what, sql, ours, theirs: what == "fails" and ours.code[:2] in ("22",) and theirs.rows and all(row[0] is None for row in theirs.rows)),
    ("limits", "what would take too much memory is refused", lambda what, sql, ours, theirs: what in ("fails", "refused") and (ours.code == "54000" or "at most" in ours.message)),
]
