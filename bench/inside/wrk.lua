-- Says in one line of JSON what came back, for bench/wrk.py. Times are in microseconds.
function done(summary, latency, requests)
  local failed = summary.errors
  local parts = {
    string.format('"requests": %d', summary.requests),
    string.format('"duration_us": %d', summary.duration),
    string.format('"bytes": %d', summary.bytes),
    string.format('"bad_status": %d', failed.status),
    string.format('"connect": %d', failed.connect),
    string.format('"read": %d', failed.read),
    string.format('"write": %d', failed.write),
    string.format('"timeout": %d', failed.timeout),
    string.format('"p50_us": %d', latency:percentile(50)),
    string.format('"p90_us": %d', latency:percentile(90)),
    string.format('"p99_us": %d', latency:percentile(99)),
    string.format('"max_us": %d', latency.max),
  }
  io.write("\nJSON {" .. table.concat(parts, ", ") .. "}\n")
end
