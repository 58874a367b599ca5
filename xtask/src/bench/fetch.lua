-- Fetches sessions at random. `wrk … -- FILE`: a line of FILE is a session's ID and the token to fetch it with.
local requests = {}

function init(arguments)
  math.randomseed(1)
  for line in io.lines(arguments[1]) do
    local id, token = line:match("(%S+) (%S+)")
    requests[#requests + 1] = wrk.format("GET", "/api/v1/session/" .. id, { ["Authorization"] = "Bearer " .. token })
  end
end

function request()
  return requests[math.random(#requests)]
end

-- The number of requests, how long they took, the 99th percentile (both in microseconds) and the number of errors.
function done(summary, latency)
  local errors = 0
  for _, count in pairs(summary.errors) do errors = errors + count end
  print(("measured %d %d %d %d"):format(summary.requests, summary.duration, latency:percentile(99), errors))
end
