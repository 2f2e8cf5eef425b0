"""`RequestProcessingPreference`: defaults, ranges, copies, pickles."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from hedgerow import CancellationToken, PerformanceClient, RequestProcessingPreference
from mock_server import MockServer, texts

DEFAULTS = {
    "max_concurrent_requests": 128,
    "batch_size": 128,
    "max_chars_per_request": None,
    "pin_initial_endpoint_once": False,
    "timeout_s": 3600.0,
    "hedge_delay": None,
    "total_timeout_s": None,
    "hedge_budget_pct": 0.10,
    "retry_budget_pct": 0.05,
    "max_retries": 5,
    "initial_backoff_ms": 125,
    "cancel_token": None,
    "primary_api_key_override": None,
    "extra_headers": None,
    "non_retryable_status_codes": set(),
    "max_retry_after_s": 120.0,
    "max_tokens_per_request": None,
    "max_bytes_per_request": None,
    "split_refused": True,
    "requests_per_minute": None,
    "tokens_per_minute": None,
    "count_tokens": None,
    "on_error": "raise",
    "pickle_api_key": False,
}

OTHERS = {
    "max_concurrent_requests": 1024,
    "batch_size": 1024,
    "max_chars_per_request": 256_000,
    "pin_initial_endpoint_once": True,
    "timeout_s": 0.5,
    "hedge_delay": 0.045,
    "total_timeout_s": 7200.0,
    "hedge_budget_pct": 3.0,
    "retry_budget_pct": 0.0,
    "max_retries": 0,
    "initial_backoff_ms": 45_000,
    "primary_api_key_override": "sk-secret",
    "extra_headers": {"x-a": "1"},
    "non_retryable_status_codes": {429, 503},
    "max_retry_after_s": 0.0,
    "max_tokens_per_request": 1,
    "max_bytes_per_request": 1_000_000_000,
    "split_refused": False,
    "requests_per_minute": 500,
    "tokens_per_minute": 10**12,
    "count_tokens": len,
    "on_error": "return",
    "pickle_api_key": True,
}


def test_every_setting_has_its_default_and_can_be_read_and_set() -> None:
    preference = RequestProcessingPreference()
    for name, value in DEFAULTS.items():
        assert getattr(preference, name) == value, name
    assert preference == RequestProcessingPreference.default()
    for name, value in OTHERS.items():
        setattr(preference, name, value)
        assert getattr(preference, name) == value, name
    assert preference == RequestProcessingPreference(**OTHERS)
    assert preference != RequestProcessingPreference()
    for name, value in DEFAULTS.items():
        setattr(preference, name, value)
    assert preference == RequestProcessingPreference()


N = "must be greater than 0 and less than or equal to 1024"
BAD: list[tuple[str, Any, str]] = [
    ("max_concurrent_requests", 0, N),
    ("max_concurrent_requests", 1025, N),
    ("max_concurrent_requests", -1, rf"{N} \(got -1\)"),
    ("max_concurrent_requests", 2**100, N),
    ("batch_size", 0, N),
    ("batch_size", 1025, N),
    ("max_chars_per_request", 49, "must be between 50 and 256000"),
    ("max_chars_per_request", 256_001, "must be between 50 and 256000"),
    ("timeout_s", 0.09, "must be between 0.1 and 3600 seconds"),
    ("timeout_s", 3600.1, "must be between 0.1 and 3600 seconds"),
    ("timeout_s", -1, "must be between 0.1 and 3600 seconds"),
    ("timeout_s", float("nan"), "must be between 0.1 and 3600 seconds"),
    ("timeout_s", float("inf"), "must be between 0.1 and 3600 seconds"),
    ("total_timeout_s", 0, "must be greater than 0"),
    ("total_timeout_s", -5, "must be greater than 0"),
    ("hedge_delay", 0.044, "must be between 0.045 and 3600 seconds"),
    ("hedge_delay", 3600.5, "must be between 0.045 and 3600 seconds"),
    ("hedge_delay", "p0", "hedge_delay must be seconds, or a quantile"),
    ("hedge_delay", "p100", "hedge_delay must be seconds, or a quantile"),
    ("hedge_delay", "fast", "hedge_delay must be seconds, or a quantile"),
    ("hedge_budget_pct", -0.1, "hedge_budget_pct cannot be negative"),
    ("hedge_budget_pct", 3.1, r"hedge_budget_pct cannot exceed 3 \(300%\)"),
    ("retry_budget_pct", -0.1, "retry_budget_pct cannot be negative"),
    ("retry_budget_pct", float("nan"), r"retry_budget_pct cannot exceed 3 \(300%\)"),
    ("max_retries", 7, "max_retries cannot exceed 6"),
    ("max_retries", -1, "max_retries cannot be negative"),
    ("initial_backoff_ms", 49, "must be between 50 and 45000 milliseconds"),
    ("initial_backoff_ms", 45_001, "must be between 50 and 45000 milliseconds"),
    ("initial_backoff_ms", -1, "must be between 50 and 45000 milliseconds"),
    ("primary_api_key_override", "", "api_key cannot be empty"),
    ("primary_api_key_override", "sk-a\n", "api_key holds a character"),
    ("non_retryable_status_codes", [99], "must hold statuses between 100 and 599"),
    ("non_retryable_status_codes", [600], "must hold statuses between 100 and 599"),
    ("max_retry_after_s", 3600.1, "max_retry_after_s must be between 0 and 3600 seconds"),
    ("max_retry_after_s", -1, "max_retry_after_s must be between 0 and 3600 seconds"),
    ("max_tokens_per_request", 0, "must be between 1 and 10000000"),
    ("max_tokens_per_request", 10_000_001, "must be between 1 and 10000000"),
    ("max_bytes_per_request", 1023, "must be between 1024 and 1000000000"),
    ("max_bytes_per_request", -1, "must be between 1024 and 1000000000"),
    ("requests_per_minute", 0, "requests_per_minute must be between 1 and 1000000000000"),
    ("tokens_per_minute", 10**12 + 1, "tokens_per_minute must be between 1 and 1000000000000"),
    ("tokens_per_minute", -1, "tokens_per_minute must be between 1 and 1000000000000"),
    ("on_error", "ignore", 'on_error must be "raise" or "return"'),
]


@pytest.mark.parametrize(("name", "value", "text"), BAD)
def test_a_value_out_of_range_is_refused_when_it_is_given(
    name: str, value: Any, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        RequestProcessingPreference(**{name: value})
    preference = RequestProcessingPreference()
    with pytest.raises(ValueError, match=text):
        setattr(preference, name, value)
    assert preference == RequestProcessingPreference()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", "8"),
        ("batch_size", 8.0),
        ("timeout_s", "8"),
        ("timeout_s", [1]),
        ("cancel_token", object()),
        ("extra_headers", [("a", "b")]),
        ("extra_headers", {"a": 1}),
        ("primary_api_key_override", b"sk"),
        ("non_retryable_status_codes", 429),
        ("count_tokens", 4),
    ],
)
def test_a_value_of_a_wrong_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(TypeError):
        RequestProcessingPreference(**{name: value})


def test_settings_that_contradict_each_other_are_refused(
    server: MockServer, client: PerformanceClient
) -> None:
    less_than_512 = "max_concurrent_requests must be less than 512 when batch_size is less than 16"
    pairs: list[tuple[dict[str, Any], str]] = [
        ({"max_concurrent_requests": 513, "batch_size": 15}, less_than_512),
        ({"timeout_s": 5, "total_timeout_s": 2}, "total_timeout_s must be at least timeout_s"),
        ({"timeout_s": 1, "hedge_delay": 0.98}, "hedge_delay must be below timeout_s"),
    ]
    for settings, text in pairs:
        with pytest.raises(ValueError, match=text):
            RequestProcessingPreference(**settings)
        # Set one by one, in whatever order, they are only refused when a call is made.
        preference = RequestProcessingPreference()
        for name, value in settings.items():
            setattr(preference, name, value)
        with pytest.raises(ValueError, match=text):
            client.embed(["a"], "m", preference=preference)
    assert server.requests == 0
    RequestProcessingPreference(max_concurrent_requests=512, batch_size=1)
    RequestProcessingPreference(total_timeout_s=2)


def test_numbers_of_numpy_and_whole_numbers_for_real_ones_are_taken() -> None:
    preference = RequestProcessingPreference(
        batch_size=np.int64(5),
        timeout_s=np.float32(0.5),
        hedge_budget_pct=1,
        total_timeout_s=np.int32(9),
        non_retryable_status_codes=np.array([429]),
    )
    assert (preference.batch_size, preference.timeout_s) == (5, 0.5)
    assert (preference.hedge_budget_pct, preference.total_timeout_s) == (1.0, 9.0)
    assert preference.non_retryable_status_codes == {429}


def test_hedging_at_a_quantile_is_taken_as_given() -> None:
    preference = RequestProcessingPreference(hedge_delay="p99.5")
    assert preference.hedge_delay == "p99.5"


def test_no_key_is_shown() -> None:
    preference = RequestProcessingPreference(
        primary_api_key_override="sk-secret", extra_headers={"Authorization": "sk-secret"}
    )
    client = PerformanceClient("http://127.0.0.1:9", "sk-secret")
    for shown in (repr(preference), str(preference), repr(client)):
        assert "secret" not in shown and "***" in shown
    assert "secret" not in repr(client.__dict__) and client.api_key == "sk-secret"
    with pytest.raises(ValueError) as raised:
        RequestProcessingPreference(primary_api_key_override="sk-secret\n")
    assert "secret" not in str(raised.value)


def test_copies_are_equal_and_apart() -> None:
    preference = RequestProcessingPreference(**OTHERS, cancel_token=CancellationToken())
    for made in (copy.copy(preference), copy.deepcopy(preference)):
        assert made == preference
        made.batch_size = 20
        assert made != preference and preference.batch_size == 1024


def test_a_pickle_has_no_key_unless_asked() -> None:
    preference = RequestProcessingPreference(**OTHERS)
    secrets = {
        "Authorization": "sk-header-1",
        "X-Functions-Key": "sk-header-2",
        "x-client-secret": "sk-header-3",
        "X-Amz-Security-Token": "sk-header-4",
        "x-upstream": "bearer sk-header-5",
        "x-tenant": "sk-header-6-of-16-and-more",
    }
    preference.extra_headers = {"x-a": "1", **secrets}
    asked = pickle.dumps(preference)
    assert b"sk-secret" in asked and b"sk-header" in asked
    assert pickle.loads(asked) == preference
    preference.pickle_api_key = False
    bare = pickle.dumps(preference)
    assert b"sk-secret" not in bare and b"sk-header" not in bare
    made = pickle.loads(bare)
    assert made.primary_api_key_override is None
    assert made.extra_headers == {"x-a": "1"}
    made.primary_api_key_override, made.extra_headers = "sk-secret", preference.extra_headers
    assert made == preference


def test_a_token_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="its own process"):
        pickle.dumps(CancellationToken())
    with pytest.raises(TypeError, match="set cancel_token to None first"):
        pickle.dumps(RequestProcessingPreference(cancel_token=CancellationToken()))


def test_a_subclass_is_a_preference(server: MockServer, client: PerformanceClient) -> None:
    class Mine(RequestProcessingPreference):
        pass

    assert len(client.embed(texts(5), "m", preference=Mine(batch_size=1))) == 5
    assert server.requests == 5
    assert isinstance(Mine.default(), Mine)


def test_statuses_can_be_made_final(server: MockServer, client: PerformanceClient) -> None:
    server.inject("status=503", times=1)
    preference = RequestProcessingPreference(non_retryable_status_codes=[503])
    with pytest.raises(OSError, match="503"):
        client.embed(["a"], "m", preference=preference)
    assert server.requests == 1


def test_characters_bound_a_request(server: MockServer, client: PerformanceClient) -> None:
    # 30 characters of four bytes each: two fit into 60, whatever their bytes.
    preference = RequestProcessingPreference(max_chars_per_request=60)
    client.embed(["\U0001f600" * 30] * 10, "m", preference=preference)
    assert server.requests == 5
