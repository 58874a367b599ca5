-- The load of `cargo xtask bench`, for wrk: sends requests of a file, each of the same length, at random. Arguments: the
-- file, the length, the number of requests. Prints one line for xtask at the end.

local BLOCK = 1000
local blocks, length, count = {}, 0, 0

function init(arguments)
    length, count = tonumber(arguments[2]), tonumber(arguments[3])
    local file = assert(io.open(arguments[1], "rb"))
    for text in function() return file:read(BLOCK * length) end do
        blocks[#blocks + 1] = text
    end
    file:close()
    -- The same sequence in every run.
    math.randomseed(13)
end

function request()
    local number = math.random(0, count - 1)
    local place = number % BLOCK
    return blocks[(number - place) / BLOCK + 1]:sub(place * length + 1, (place + 1) * length)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("xtask: %d %d %d %d %d\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end
