//! The words of services, as they say no.

use super::*;
use proptest::prelude::*;

fn inputs(most: usize) -> Complaint {
    Complaint::Shape(ShapeLimit::Inputs { most })
}

fn tokens(most: usize, asked: usize) -> Complaint {
    Complaint::Shape(ShapeLimit::Tokens {
        most,
        asked: Some(asked),
        of_one: false,
    })
}

fn bytes(most: Option<usize>) -> Complaint {
    Complaint::Shape(ShapeLimit::Bytes { most })
}

fn holds(cases: &[(u16, &str, Complaint)]) {
    for (status, body, expected) in cases {
        assert_eq!(of(*status, body), *expected, "{status}: {body}");
    }
}

#[test]
fn each_service_s_limit_on_inputs_or_bytes_is_read() {
    holds(&[
        // text-embeddings-inference, its own endpoints and OpenAI's.
        (
            422,
            r#"{"error":"batch size 128 > maximum allowed batch size 32","error_type":"Validation"}"#,
            inputs(32),
        ),
        (
            422,
            r#"{"message":"batch size 128 > maximum allowed batch size 32","code":422,"type":"Validation"}"#,
            inputs(32),
        ),
        (
            413,
            "Failed to buffer the request body: length limit exceeded",
            bytes(None),
        ),
        // DashScope.
        (
            400,
            r#"{"error":{"message":"<400> InternalError.Algo.InvalidParameter: Value error, batch size is invalid, it should not be larger than 10.: input.contents","type":"invalid_request_error","param":null,"code":"InvalidParameter"}}"#,
            inputs(10),
        ),
        (
            400,
            "batch size is invalid, it should not be larger than 10",
            inputs(10),
        ),
        // Gemini.
        (
            400,
            r#"[{"error":{"code":400,"message":"* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n","status":"INVALID_ARGUMENT"}}]"#,
            inputs(100),
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"Request payload size exceeds the limit: 20971520 bytes.","status":"INVALID_ARGUMENT"}}"#,
            bytes(Some(20_971_520)),
        ),
        // Cohere.
        (
            400,
            r#"{"message":"invalid request: total number of texts must be at most 96, received 97"}"#,
            inputs(96),
        ),
        // OpenAI.
        (
            400,
            r#"{"error":{"message":"Invalid 'input': array too long. Expected an array with maximum length 2048, but got an array with length 3000 instead.","type":"invalid_request_error","param":"input","code":"array_above_max_length"}}"#,
            inputs(2048),
        ),
        // Azure.
        (
            400,
            r#"{"error":{"message":"Too many inputs. The max number of inputs is 16.  We hope to increase the number of inputs per request soon.","type":"invalid_request_error","param":null,"code":null}}"#,
            inputs(16),
        ),
        // FastAPI: Infinity and others.
        (
            422,
            r#"{"detail":[{"type":"too_long","loc":["body","input"],"msg":"List should have at most 2048 items after validation, not 3000","input":["a"]}]}"#,
            inputs(2048),
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","input"],"msg":"ensure this value has at most 2048 items","type":"value_error.list.max_items"}]}"#,
            inputs(2048),
        ),
        // Voyage.
        (
            400,
            r#"{"detail":"The batch size limit is 1000. Your batch size is 1200."}"#,
            inputs(1000),
        ),
        // Vertex.
        (
            400,
            r#"{"error":{"message":"250 instance(s) is allowed per prediction. Actual: 300"}}"#,
            inputs(250),
        ),
        // Proxies, and servers that say no more.
        (
            413,
            "<html>\r\n<head><title>413 Request Entity Too Large</title></head></html>",
            bytes(None),
        ),
    ]);
}

#[test]
fn each_service_s_limit_on_tokens_is_read() {
    let of_one = Complaint::Shape(ShapeLimit::Tokens {
        most: 512,
        asked: Some(600),
        of_one: true,
    });
    holds(&[
        // text-embeddings-inference, its own endpoints and OpenAI's.
        (
            413,
            r#"{"error":"Input validation error: `inputs` must have less than 512 tokens. Given: 600","error_type":"Validation"}"#,
            of_one,
        ),
        // OpenAI.
        (
            400,
            r#"{"error":{"message":"Requested 384028 tokens, max 300000 tokens per request","type":"max_tokens_per_request","param":null,"code":"max_tokens_per_request"}}"#,
            tokens(300_000, 384_028),
        ),
        // Voyage.
        (
            400,
            r#"{"detail":"Request to model 'voyage-3' failed. The max allowed tokens per submitted batch is 120,000. Your batch has 213000 tokens after truncation. Please lower the number of tokens in the batch."}"#,
            tokens(120_000, 213_000),
        ),
        // Mistral.
        (
            400,
            r#"{"object":"error","message":"Too many tokens in batch. Max is 16384 got 18402","type":"invalid_request_error","code":null}"#,
            tokens(16_384, 18_402),
        ),
        // Vertex.
        (
            400,
            r#"{"error":{"message":"The input token count is 20500 but the model supports up to 20000."}}"#,
            tokens(20_000, 20_500),
        ),
    ]);
}

#[test]
fn an_input_that_is_bad_is_no_limit() {
    for (status, body) in [
        (500, r#"{"error":"json: unsupported value: NaN"}"#),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens, however you requested 10000 tokens (10000 in your prompt; 0 for the completion). Please reduce your prompt","code":null}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"Invalid 'input[3]': maximum input length is 8192 tokens.","param":"input[3]"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"input cannot be an empty string","param":"input"}}"#,
        ),
        (
            422,
            r#"{"error":"`inputs` cannot be empty","error_type":"Empty"}"#,
        ),
        (
            500,
            r#"{"error":{"code":500,"message":"input is too large to process. increase the physical batch size"}}"#,
        ),
    ] {
        assert_eq!(of(status, body), Complaint::Input, "{status}: {body}");
    }
}

#[test]
fn what_is_about_no_input_says_nothing_of_one() {
    for (status, body) in [
        (401, "Invalid API key"),
        (403, ""),
        (404, "batch size 128 > maximum allowed batch size 32"),
        (
            429,
            "Requested 384028 tokens, max 300000 tokens per request",
        ),
        (500, "internal error"),
        (503, "request entity too large"),
        (
            400,
            r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#,
        ),
        (400, r#"{"error":{"message":"no","param":"model"}}"#),
        (
            422,
            r#"{"detail":[{"loc":["body","model"],"msg":"Field required"}]}"#,
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","encoding_format"],"msg":"Extra inputs are not permitted","input":"base64"}]}"#,
        ),
    ] {
        assert_eq!(of(status, body), Complaint::None, "{status}: {body}");
    }
}

#[test]
fn a_status_alone_may_be_about_an_input() {
    for (status, body) in [
        (400, ""),
        (422, "no"),
        (400, r#"{"error":{"message":"'$.input' is invalid."}}"#),
        // What the server sends back of a request is not its own word.
        (
            422,
            r#"{"detail":[{"loc":["body","input",5],"msg":"bad","input":"the model does not exist"}]}"#,
        ),
        (400, "list should have at most several items"),
    ] {
        assert_eq!(of(status, body), Complaint::Perhaps, "{status}: {body}");
    }
}

proptest! {
    #[test]
    fn whatever_a_server_says_is_read_without_harm(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "maximum allowed batch size ", "requested ", " tokens, max ", "7", "18446744073709551616",
                ",", "é", "\"", "{", "}", " instance(s) is allowed per prediction", "list should have at most ",
                "your batch has ", "max allowed tokens per submitted batch is ", "[", "]", ":", "\"error\"",
            ]),
            0..12,
        ),
        status in prop::sample::select(vec![400u16, 413, 422, 500]),
    ) {
        let text: String = pieces.concat();
        of(status, &text);
    }
}
