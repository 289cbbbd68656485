-- For wrk: asks for the paths in a file, one after the other, and prints what came of it as one line of JSON.
-- Arguments: the file, and the number of its line to begin with (0: the first).

local asked = {}
local at = 0

function init(arguments)
  for path in io.lines(arguments[1]) do
    asked[#asked + 1] = wrk.format("GET", path)
  end
  at = tonumber(arguments[2])
end

function request()
  at = at + 1
  return asked[(at - 1) % #asked + 1]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "duration_us": %d, "bytes": %d, "p50_us": %d, "p90_us": %d, "p99_us": %d, "max_us": %d, ' ..
    '"bad_status": %d, "broken": %d, "timeouts": %d}\n',
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
