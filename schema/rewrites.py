"""What a language model answered when it was asked to word a segment's measured fields."""

import pyarrow as pa

from schema.columns import TableKind, TableSpec, column

REWRITES = TableSpec(
    name="rewrites",
    kind=TableKind.RECORDED,
    doc="Every answer of a language model that was asked to word a description; each request is asked once",
    schema=pa.schema(
        [
            column("request_id", pa.string(), "Digest of model, version of the prompt, and what was sent"),
            column("model", pa.string(), "Model, as the endpoint calls it"),
            column("prompt", pa.string(), "What was sent, JSON: class words and measured fields, nothing else"),
            column("raw_answer", pa.string(), "What came back, as it was given"),
            column("text", pa.string(), "The sentences that may be published; empty where they were refused"),
            column("refused", pa.bool_(), "The answer says more than the fields"),
            column("why", pa.string(), "Why it was refused, in words; empty where it was not"),
            column("asked_ns", pa.int64(), "Unix time in ns"),
        ]
    ),
)
