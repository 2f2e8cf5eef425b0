//! Embeddings answers to numbers: the scanner beside `serde_json`, in bytes of JSON a second.

use std::fmt::Write as _;
use std::hint::black_box;

use base64_simd::STANDARD;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hedgerow::decode::{embeddings, embeddings_by_serde_json};

/// Numbers of the size that unit vectors of some hundred dimensions have; the same in every run.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // 23 random bits behind the point, so that the texts are as long as real ones.
        f32::from_bits(0x3f80_0000 | u32::try_from(state >> 41).unwrap_or_default()) - 1.0
    };
    (0..count)
        .map(|_| 0.06 * (uniform() + uniform() + uniform() - 1.5))
        .collect()
}

/// An answer whose vectors are as `vector` writes them.
fn answer(rows: usize, dimensions: usize, vector: impl Fn(&[f32]) -> String) -> Vec<u8> {
    let numbers = numbers(rows * dimensions);
    let mut text = String::from(r#"{"object":"list","data":["#);
    for (index, row) in numbers.chunks(dimensions).enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let vector = vector(row);
        let _ = write!(
            text,
            r#"{comma}{{"object":"embedding","index":{index},"embedding":{vector}}}"#
        );
    }
    text.push_str(r#"],"model":"BAAI/bge-m3","usage":{"prompt_tokens":512,"total_tokens":512}}"#);
    text.into_bytes()
}

fn array<T: ToString>(values: impl Iterator<Item = T>) -> String {
    let values: Vec<String> = values.map(|value| value.to_string()).collect();
    format!("[{}]", values.join(","))
}

/// As a server writes `f32`: 7 to 9 digits that matter.
fn short(row: &[f32]) -> String {
    array(row.iter())
}

/// As a server writes `f32` that it widened to `f64` first: 16 or 17 digits that matter.
fn long(row: &[f32]) -> String {
    array(row.iter().map(|&value| f64::from(value)))
}

fn base64(row: &[f32]) -> String {
    let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
    format!("\"{}\"", STANDARD.encode_to_string(bytes))
}

fn decode(criterion: &mut Criterion) {
    let answers = [
        ("short_128x1024", 128, answer(128, 1024, short)),
        ("long_128x1024", 128, answer(128, 1024, long)),
        ("base64_128x1024", 128, answer(128, 1024, base64)),
        ("small_1x8", 1, answer(1, 8, short)),
    ];
    for (name, rows, body) in &answers {
        let mut group = criterion.benchmark_group(*name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("scanner", |bencher| {
            bencher.iter(|| embeddings(black_box(body), *rows));
        });
        group.bench_function("serde_json", |bencher| {
            bencher.iter(|| embeddings_by_serde_json(black_box(body), *rows));
        });
        group.finish();
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
