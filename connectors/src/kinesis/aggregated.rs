//! Records that hold many: what the Kinesis Producer Library packs into one.
//!
//! The form is the library's own ("KPL aggregated record format"): four magic bytes, a message of protocol buffers, and
//! the MD5 of that message. Data that only looks so, with another sum or no such message, is a record like any other,
//! as for the Kinesis Client Library.

use bytes::Bytes;
use md5::{Digest, Md5};
use prost::Message;

/// What an aggregated record begins with.
const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];

/// The length of the sum at its end.
const SUM_BYTES: usize = 16;

/// Many records; partition keys stand in a table, so that none is said twice.
#[derive(Clone, PartialEq, Message)]
struct AggregatedRecord {
    #[prost(string, repeated, tag = "1")]
    partition_key_table: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    records: Vec<Part>,
}

/// One of them. Its explicit hash key and its tags are not read.
#[derive(Clone, PartialEq, Message)]
struct Part {
    #[prost(uint64, required, tag = "1")]
    partition_key_index: u64,
    #[prost(bytes = "bytes", required, tag = "3")]
    data: Bytes,
}

/// A record as its producer wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UserRecord {
    /// Its own partition key.
    pub(super) partition_key: String,
    /// Its data.
    pub(super) data: Bytes,
}

/// The records in aggregated data, in order; `None` for data that is not aggregated.
///
/// All of them are given. (The client library drops those whose key belongs to another shard by now; they are in the
/// stream nevertheless.)
pub(super) fn user_records(data: &Bytes) -> Option<Vec<UserRecord>> {
    if !data.starts_with(&MAGIC) || data.len() < MAGIC.len() + SUM_BYTES {
        return None;
    }
    let message = data.slice(MAGIC.len()..data.len() - SUM_BYTES);
    if Md5::digest(&message).as_slice() != &data[data.len() - SUM_BYTES..] {
        return None;
    }
    let AggregatedRecord { partition_key_table, records } = AggregatedRecord::decode(message).ok()?;
    let user_record = |part: Part| {
        let index = usize::try_from(part.partition_key_index).ok()?;
        Some(UserRecord { partition_key: partition_key_table.get(index)?.clone(), data: part.data })
    };
    records.into_iter().map(user_record).collect()
}

/// Packs records as the producer library does.
#[cfg(test)]
pub(super) fn aggregate(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut all = AggregatedRecord { partition_key_table: vec![], records: vec![] };
    for (key, data) in records {
        let known = all.partition_key_table.iter().position(|known| known == key);
        let index = known.unwrap_or_else(|| {
            all.partition_key_table.push((*key).to_owned());
            all.partition_key_table.len() - 1
        });
        all.records.push(Part { partition_key_index: index as u64, data: Bytes::copy_from_slice(data) });
    }
    let message = all.encode_to_vec();
    [&MAGIC[..], &message, Md5::digest(&message).as_slice()].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Two keys and three records, written by hand from the format's description: field 1 twice, then field 3 thrice,
    /// each a message of field 1 (varint), of field 2 (varint, an explicit hash key, skipped) and of field 3 (bytes).
    const BY_HAND: &[u8] = &[
        0x0A, 1, b'a', 0x0A, 2, b'b', b'c', // partition keys
        0x12, 1, b'7', // an explicit hash key
        0x1A, 5, 0x08, 0, 0x1A, 1, b'x', // key 0, "x"
        0x1A, 8, 0x08, 1, 0x10, 0, 0x1A, 2, b'y', b'z', // key 1, hash key 0, "yz"
        0x1A, 4, 0x08, 0, 0x1A, 0, // key 0, nothing
    ];

    fn framed(message: &[u8]) -> Bytes {
        [&MAGIC[..], message, Md5::digest(message).as_slice()].concat().into()
    }

    #[test]
    fn aggregated_data_is_taken_apart() {
        let records = user_records(&framed(BY_HAND)).unwrap();
        let records: Vec<_> = records.iter().map(|r| (r.partition_key.as_str(), &r.data[..])).collect();
        assert_eq!(records, [("a", &b"x"[..]), ("bc", b"yz"), ("a", b"")]);
        let packed = aggregate(&[("k", b"1"), ("k", b"2"), ("l", b"3")]);
        let records = user_records(&packed.into()).unwrap();
        assert_eq!(records.iter().map(|r| r.partition_key.as_str()).collect::<String>(), "kkl");
    }

    #[test]
    fn what_only_looks_aggregated_is_a_record() {
        let mut wrong_sum = framed(BY_HAND).to_vec();
        *wrong_sum.last_mut().unwrap() ^= 1;
        for data in [
            Bytes::from(wrong_sum),
            Bytes::from_static(b"{\"a\": 1}"),
            Bytes::from_static(&MAGIC),
            framed(b"\x0A\x05a"),
            framed(&[0x1A, 5, 0x08, 3, 0x1A, 1, b'x']),
        ] {
            assert_eq!(user_records(&data), None, "{data:?}");
        }
    }
}
