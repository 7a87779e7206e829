//! Hashes of bytes, base 32, and numbers as bytes, as Trino has them ("Binary functions").

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar};
use super::spooky;
use super::text::{binary, bytes_of, decoded, digest, encoded};
use crate::error::{Error, ErrorKind, Result};
use data_encoding::BASE32;
use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type};
use hmac::digest::block_api::BlockSizeUser;
use hmac::{KeyInit, Mac, SimpleHmac};
use sha2::{Digest, Sha256, Sha512};
use twox_hash::XxHash64;

use Kind::{Any, Text};

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("crc32", ATHENA, &[Any], Gives::Int8, |call| {
        let values = bytes_of(&call.args[0])?;
        let values = values.as_binary::<i32>();
        call.ints(|row| {
            let mut crc = flate2::Crc::new();
            crc.update(values.value(row));
            Ok(Some(i64::from(crc.sum())))
        })
    })
    .doc("crc32(binary)", "The CRC-32 of bytes.", &[("crc32(to_utf8('123456789'))", "3421780262")]),
    scalar("xxhash64", ATHENA, &[Any], Gives::Of(binary), |call| {
        digest(call, |bytes| XxHash64::oneshot(0, bytes).to_be_bytes())
    })
    .doc(
        "xxhash64(binary)",
        "The xxHash64 of bytes.",
        &[("to_hex(xxhash64(to_utf8('abc')))", "44BC2CF5AD770999")],
    ),
    scalar("murmur3", ATHENA, &[Any], Gives::Of(binary), |call| digest(call, murmur)).doc(
        "murmur3(binary)",
        "The 128-bit Murmur3 hash of bytes.",
        &[("to_hex(murmur3(from_base64('aaaaaa')))", "BA5855635569B42F4920372CA0E396EF")],
    ),
    scalar("spooky_hash_v2_32", ATHENA, &[Any], Gives::Of(binary), |call| {
        digest(call, |bytes| (spooky::hash(bytes) as u32).to_be_bytes())
    })
    .doc(
        "spooky_hash_v2_32(binary)",
        "The 32-bit SpookyHashV2 of bytes.",
        &[("to_hex(spooky_hash_v2_32(to_utf8('hello')))", "D382E6CA")],
    ),
    scalar("spooky_hash_v2_64", ATHENA, &[Any], Gives::Of(binary), |call| {
        digest(call, |bytes| spooky::hash(bytes).to_be_bytes())
    })
    .doc(
        "spooky_hash_v2_64(binary)",
        "The same of 64 bits.",
        &[("to_hex(spooky_hash_v2_64(to_utf8('hello')))", "3768826AD382E6CA")],
    ),
    scalar("hmac_md5", ATHENA, &[Any, Any], Gives::Of(binary), keyed::<md5::Md5>).doc(
        "hmac_md5(binary, key)",
        "The HMAC of bytes with a key, by MD5.",
        &[(
            "to_hex(hmac_md5(to_utf8('what do ya want for nothing?'), to_utf8('Jefe')))",
            "750C783E6AB0B503EAA86E310A5DB738",
        )],
    ),
    scalar("hmac_sha1", ATHENA, &[Any, Any], Gives::Of(binary), keyed::<sha1::Sha1>).doc(
        "hmac_sha1(binary, key)",
        "The same by SHA1.",
        &[(
            "to_hex(hmac_sha1(to_utf8('what do ya want for nothing?'), to_utf8('Jefe')))",
            "EFFCDF6AE5EB2FA2D27416D5F184DF9C259A7C79",
        )],
    ),
    scalar("hmac_sha256", ATHENA, &[Any, Any], Gives::Of(binary), keyed::<Sha256>).doc(
        "hmac_sha256(binary, key)",
        "The same by SHA256.",
        &[(
            "to_hex(hmac_sha256(to_utf8('what do ya want for nothing?'), to_utf8('Jefe')))",
            "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843",
        )],
    ),
    scalar("hmac_sha512", ATHENA, &[Any, Any], Gives::Of(binary), keyed::<Sha512>).doc(
        "hmac_sha512(binary, key)",
        "The same by SHA512.",
        &[(
            "substr(to_hex(hmac_sha512(to_utf8('what do ya want for nothing?'), to_utf8('Jefe'))), 1, 32)",
            "164B7A7BFCF819E2E395FBE73B56E0A3",
        )],
    ),
    scalar("to_base32", ATHENA, &[Any], Gives::Text, |call| encoded(call, &|bytes| BASE32.encode(bytes))).doc(
        "to_base32(binary)",
        "Bytes in base 32.",
        &[("to_base32(to_utf8('foobar'))", "MZXW6YTBOI======")],
    ),
    scalar("from_base32", ATHENA, &[Text], Gives::Of(binary), |call| {
        decoded(call, "base 32", |text| BASE32.decode(text.as_bytes()).ok())
    })
    .doc(
        "from_base32(text)",
        "The bytes that a text in base 32 is.",
        &[("from_utf8(from_base32('MZXW6YTBOI======'))", "foobar")],
    ),
    scalar("to_big_endian_32", ATHENA, &[Kind::Int], Gives::Of(binary), |call| {
        let numbers = call.int(0);
        call.binaries(|row| {
            let number = i32::try_from(numbers.value(row));
            let too_large = |_| Error::new(ErrorKind::NumericOverflow, "the number has more than 32 bits");
            Ok(number.map_err(too_large)?.to_be_bytes())
        })
    })
    .doc(
        "to_big_endian_32(number)",
        "A number's four bytes, the largest first.",
        &[("to_hex(to_big_endian_32(1))", "00000001")],
    ),
    scalar("to_big_endian_64", ATHENA, &[Kind::Int], Gives::Of(binary), |call| {
        let numbers = call.int(0);
        call.binaries(|row| Ok(numbers.value(row).to_be_bytes()))
    })
    .doc(
        "to_big_endian_64(number)",
        "The same of eight bytes.",
        &[("to_hex(to_big_endian_64(1))", "0000000000000001")],
    ),
    scalar("from_big_endian_32", ATHENA, &[Any], Gives::Int4, |call| {
        numbers::<4>(call, |bytes, call| call.values::<Int32Type>(|row| Ok(Some(i32::from_be_bytes(bytes[row])))))
    })
    .doc(
        "from_big_endian_32(binary)",
        "The number that four bytes are, the largest first.",
        &[("from_big_endian_32(from_hex('FFFFFFFE'))", "-2")],
    ),
    scalar("from_big_endian_64", ATHENA, &[Any], Gives::Int8, |call| {
        numbers::<8>(call, |bytes, call| call.values::<Int64Type>(|row| Ok(Some(i64::from_be_bytes(bytes[row])))))
    })
    .doc(
        "from_big_endian_64(binary)",
        "The same of eight bytes.",
        &[("from_big_endian_64(to_big_endian_64(-2))", "-2")],
    ),
    scalar("to_ieee754_32", ATHENA, &[Any], Gives::Of(binary), |call| {
        let numbers = cast(&call.args[0], &DataType::Float32)?;
        let numbers = numbers.as_primitive::<Float32Type>();
        call.binaries(|row| Ok(numbers.value(row).to_be_bytes()))
    })
    .doc("to_ieee754_32(real)", "A real's four bytes.", &[("to_hex(to_ieee754_32(CAST(1 AS real)))", "3F800000")]),
    scalar("to_ieee754_64", ATHENA, &[Kind::Float], Gives::Of(binary), |call| {
        let numbers = call.float(0);
        call.binaries(|row| Ok(numbers.value(row).to_be_bytes()))
    })
    .doc(
        "to_ieee754_64(double)",
        "A double's eight bytes.",
        &[("to_hex(to_ieee754_64(1E0))", "3FF0000000000000")],
    ),
    scalar("from_ieee754_32", ATHENA, &[Any], Gives::Of(|_| Ok(DataType::Float32)), |call| {
        numbers::<4>(call, |bytes, call| call.values::<Float32Type>(|row| Ok(Some(f32::from_be_bytes(bytes[row])))))
    })
    .doc(
        "from_ieee754_32(binary)",
        "The real that four bytes are.",
        &[("from_ieee754_32(from_hex('3F800000'))", "1.0")],
    ),
    scalar("from_ieee754_64", ATHENA, &[Any], Gives::Float, |call| {
        numbers::<8>(call, |bytes, call| call.values::<Float64Type>(|row| Ok(Some(f64::from_be_bytes(bytes[row])))))
    })
    .doc(
        "from_ieee754_64(binary)",
        "The double that eight bytes are.",
        &[("from_ieee754_64(from_hex('3FF0000000000000'))", "1.0")],
    ),
];

/// What is made of bytes that are so many in each row.
fn numbers<const N: usize>(
    call: &Call<'_>,
    of: impl Fn(&[[u8; N]], &Call<'_>) -> Result<ArrayRef>,
) -> Result<ArrayRef> {
    let values = bytes_of(&call.args[0])?;
    let values = values.as_binary::<i32>();
    let mut all = vec![[0; N]; call.rows];
    for (row, bytes) in all.iter_mut().enumerate().filter(|(row, _)| !call.is_null(*row)) {
        let found = values.value(row);
        *bytes = found.try_into().map_err(|_| {
            let message = format!("expected {N}-byte input, but got instead: {}", found.len());
            Error::new(ErrorKind::InvalidParameter, message)
        })?;
    }
    of(&all, call)
}

/// The HMAC of the first argument with the second as its key.
fn keyed<D: Digest + BlockSizeUser>(call: &Call<'_>) -> Result<ArrayRef> {
    let keys = bytes_of(&call.args[1])?;
    let keys = keys.as_binary::<i32>();
    let values = bytes_of(&call.args[0])?;
    let values = values.as_binary::<i32>();
    call.binaries(|row| {
        let mac = SimpleHmac::<D>::new_from_slice(keys.value(row));
        let mut mac = mac.map_err(|error| Error::new(ErrorKind::InvalidParameter, error.to_string()))?;
        mac.update(values.value(row));
        Ok(mac.finalize().into_bytes().to_vec())
    })
}

/// MurmurHash3 of 128 bits for machines of 64, its seed 0 (the algorithm is public: A. Appleby, MurmurHash3_x64_128).
pub(super) fn murmur(bytes: &[u8]) -> Vec<u8> {
    const FIRST: u64 = 0x87c3_7b91_1142_53d5;
    const SECOND: u64 = 0x4cf5_ad43_2745_937f;
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte));
    let first = |word: u64| word.wrapping_mul(FIRST).rotate_left(31).wrapping_mul(SECOND);
    let second = |word: u64| word.wrapping_mul(SECOND).rotate_left(33).wrapping_mul(FIRST);
    let (mut low, mut high) = (0_u64, 0_u64);
    let blocks = bytes.chunks_exact(16);
    let rest = blocks.remainder();
    for block in blocks {
        low ^= first(word(&block[..8]));
        low = low.rotate_left(27).wrapping_add(high).wrapping_mul(5).wrapping_add(0x52dc_e729);
        high ^= second(word(&block[8..]));
        high = high.rotate_left(31).wrapping_add(low).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let (begin, end) = rest.split_at(rest.len().min(8));
    high ^= second(word(end));
    low ^= first(word(begin));
    low ^= bytes.len() as u64;
    high ^= bytes.len() as u64;
    low = low.wrapping_add(high);
    high = high.wrapping_add(low);
    let mixed = |word: u64| {
        let word = (word ^ (word >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let word = (word ^ (word >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        word ^ (word >> 33)
    };
    (low, high) = (mixed(low), mixed(high));
    low = low.wrapping_add(high);
    high = high.wrapping_add(low);
    [low.to_le_bytes(), high.to_le_bytes()].concat()
}
