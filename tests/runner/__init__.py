"""What tests/run does, and what .ci/run and the documents' tests know of the suites."""
