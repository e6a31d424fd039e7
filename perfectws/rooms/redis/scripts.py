"""What is done in one step on the server: the scripts, in Lua.

A script may run on a server whose memory is full: it is refused at its first write then, takes the refusal as an
answer, and does what is possible without.

The number of an entry is ``EPOCH-1``, ``EPOCH-2`` and so on. An epoch is 13 digits of the server's clock in
milliseconds, and 6 digits that stand for the run of the server: a log that an older snapshot brought back, or a replica
that had not got all of it, would give numbers a second time, so the next run begins a new epoch.
"""

from __future__ import annotations

from hashlib import sha1

#: How many digits of an epoch stand for the run of the server.
RUN_DIGITS = 6

_CURRENT = """
local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The number of a log's last entry, or nil where there is no log.
local function last_of(log)
    local about = redis.pcall('XINFO', 'STREAM', log)
    for i = 1, #about, 2 do
        if about[i] == 'last-generated-id' then return about[i + 1] end
    end
    return nil
end

-- Whether this number is of this run of the server; and the first of an epoch that follows it.
local function judge(last, run)
    local time, of = string.match(last or '', '^(%d+)(%d%d%d%d%d%d)-')
    if of == run then return true end
    return false, string.format('%.0f', math.max(now(), (tonumber(time) or 0) + 1)) .. run
end
"""


class Script:
    """A script, as Redis knows it.

    Attributes:
        source: What it does.
        sha: The name that Redis gives it.
    """

    __slots__ = ("sha", "source")

    def __init__(self, source: str) -> None:
        self.source = source.encode()
        self.sha = sha1(self.source, usedforsecurity=False).hexdigest().encode()


#: Append an entry to a log and announce it. Returns its number; or, where it was refused, an array with the reason: it
#: was announced without a number then.
APPEND = Script(
    _CURRENT
    + """
local log, channel, entry, most, lifetime, epoch, run = KEYS[1], unpack(ARGV)
local id = false
if epoch ~= '' then
    id = redis.pcall('XADD', log, 'NOMKSTREAM', 'MAXLEN', '~', most, epoch .. '-*', 'e', entry)
end
-- There is no log, or another has begun it anew: its entries have higher numbers than ours would have.
if not id or (id.err and string.find(id.err, 'equal or smaller', 1, true)) then
    local last = last_of(log)
    local is_current, new = judge(last, run)
    id = is_current and string.match(last, '^%d+') .. '-*' or new .. '-1'
    id = redis.pcall('XADD', log, 'MAXLEN', '~', most, id, 'e', entry)
end
if id.err then
    redis.call('PUBLISH', channel, 'u' .. entry)
    return {id.err}
end
if lifetime ~= '' then redis.call('PEXPIRE', log, lifetime) else redis.call('PERSIST', log) end
redis.call('PUBLISH', channel, 'e' .. id .. ' ' .. entry)
return id
"""
)

#: Say how far each of several logs has got, beginning those that there are not, and how many people are in each room.
#: What is said of who is there lives a day longer.
HEADS = Script(
    _CURRENT
    + """
local found = {}
for i, log in ipairs(KEYS) do
    local last = last_of(log)
    local is_current, new = judge(last, ARGV[1])
    if not is_current then
        -- An entry is written and removed: so the log has a number, and nothing in it.
        local id = redis.pcall('XADD', log, new .. '-1', 'e', '')
        if not id.err then
            redis.call('XDEL', log, id)
            last = id
        end
    end
    if ARGV[i + 1] ~= '' then redis.call('PEXPIRE', log, ARGV[i + 1]) else redis.call('PERSIST', log) end
    local people = redis.pcall('HLEN', log .. ':who')
    if type(people) ~= 'number' then people = 0 end
    if people > 0 then
        redis.call('PEXPIRE', log .. ':who', 86400000)
        redis.call('PEXPIRE', log .. ':names', 86400000)
    end
    found[2 * i - 1] = last or ''
    found[2 * i] = people
end
return found
"""
)

#: Read what a log holds behind a number, a page of it. Returns its last number, 1 if there is more to read, and the
#: entries, each behind its number.
READ = Script(
    _CURRENT
    + """
local log, start, most = KEYS[1], ARGV[1], tonumber(ARGV[2])
local found, size, is_more = {last_of(log) or '', 0}, 0, 1
while size < most and is_more == 1 do
    local some = redis.pcall('XRANGE', log, '(' .. start, '+', 'COUNT', 2)
    if some.err then some = {} end
    for _, item in ipairs(some) do
        local entry = item[2][2]
        start = item[1]
        found[#found + 1] = start
        found[#found + 1] = entry
        size = size + #entry + 64
    end
    if #some < 2 then is_more = 0 end
end
found[2] = is_more
return found
"""
)

#: Read the end of a log: so many messages, as far as they fit. Returns its last number, 1 if more were wanted and are
#: there, and its entries, each behind its number, the newest first.
READ_END = Script(
    _CURRENT
    + """
local log, wanted, most = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local found, seen, size, start = {last_of(log) or '', 0}, {}, 0, '+'
while wanted > 0 do
    local some = redis.pcall('XREVRANGE', log, start, '-', 'COUNT', 2)
    if some.err then some = {} end
    if size >= most then
        found[2] = math.min(#some, 1)
        break
    end
    for _, item in ipairs(some) do
        local entry = item[2][2]
        start = '(' .. item[1]
        found[#found + 1] = item[1]
        found[#found + 1] = entry
        size = size + #entry + 64
        -- What was sent again, as nobody had answered, or by each process that inherited it, counts once.
        if #entry >= 28 and not seen[entry] then
            wanted = wanted - struct.unpack('>I4', string.sub(entry, 25, 28))
        end
        seen[entry] = true
    end
    if #some < 2 then break end
end
return found
"""
)

_WHO = """
local who, names, instances = KEYS[1] .. ':who', KEYS[1] .. ':names', KEYS[2]

local function instance_of(member)
    return string.match(member, '^[^:]*')
end

-- Let go of a member's hold on the name that it had, but for those whose name it keeps.
local function unname(member, value)
    local is_read, person = pcall(cjson.decode, value)
    local name = is_read and type(person) == 'table' and person[1]
    if type(name) ~= 'string' then return end
    local others = {}
    for each in string.gmatch(redis.call('HGET', names, name) or '', '%S+') do
        if each ~= member then others[#others + 1] = each end
    end
    if #others == 0 then redis.call('HDEL', names, name)
    else redis.call('HSET', names, name, table.concat(others, ' ')) end
end

-- What is wrong with the two hashes, if they are none.
local function fault()
    for _, key in ipairs({who, names}) do
        local length = redis.pcall('HLEN', key)
        if type(length) ~= 'number' then return length.err end
    end
    return nil
end
"""

#: Say that a member is there, and who it is. Returns 1; 0 if the name was to be unique, and somebody who lives has it;
#: or an array with the reason why it was refused.
ENTER = Script(
    _CURRENT
    + _WHO
    + """
local channel, member, value, name, is_unique = unpack(ARGV)
local wrong = fault()
if wrong then return {wrong} end
local holders = redis.call('HGET', names, name) or ''
local others, own, time = {}, instance_of(member), now()
for holder in string.gmatch(holders, '%S+') do
    local instance = instance_of(holder)
    local lives = instance == own or (tonumber(redis.call('ZSCORE', instances, instance)) or 0) > time
    if lives and instance ~= own and is_unique == '1' then return 0 end
    if lives and holder ~= member then others[#others + 1] = holder end
end
local before = redis.call('HGET', who, member)
local done = redis.pcall('HSET', who, member, value)
if type(done) ~= 'number' then return {done.err} end
if before and before ~= value then unname(member, before) end
others[#others + 1] = member
redis.call('HSET', names, name, table.concat(others, ' '))
redis.call('PEXPIRE', who, 86400000)
redis.call('PEXPIRE', names, 86400000)
redis.call('PUBLISH', channel, 'p' .. member .. ' ' .. value)
return 1
"""
)

#: Say that a member has left. Returns 1, or an array with the reason why it was refused.
EXIT = Script(
    _CURRENT
    + _WHO
    + """
local channel, member = unpack(ARGV)
local wrong = fault()
if wrong then return {wrong} end
local value = redis.call('HGET', who, member)
if value then
    redis.call('HDEL', who, member)
    unname(member, value)
end
redis.call('PUBLISH', channel, 'x' .. member)
return 1
"""
)

#: Read who is there: each member, and who it is. Those of processes that are long dead are removed, if that is wanted.
PEOPLE = Script(
    _CURRENT
    + _WHO
    + """
local sweeps, known, found = ARGV[1] == '1', {}, {}
if fault() then return found end
local all = redis.call('HGETALL', who)
for i = 1, #all, 2 do
    local instance = instance_of(all[i])
    if sweeps and known[instance] == nil then known[instance] = redis.call('ZSCORE', instances, instance) end
    if sweeps and not known[instance] then
        redis.call('HDEL', who, all[i])
        unname(all[i], all[i + 1])
    else
        found[#found + 1] = all[i]
        found[#found + 1] = all[i + 1]
    end
end
return found
"""
)

#: Say that this process lives for a while longer, and let it hear itself. Returns whether it was taken for living, and
#: the others that live, each with the milliseconds that are left to it; or an array with the reason of a refusal.
BEAT = Script(
    _CURRENT
    + """
local instances, own, lease, own_channel, probe, channel = KEYS[1], unpack(ARGV)
redis.call('PUBLISH', own_channel, probe)
local time = now()
local before = redis.pcall('ZSCORE', instances, own)
local done = redis.pcall('ZADD', instances, time + lease, own)
if type(done) ~= 'number' then return {done.err} end
local lived = (tonumber(before) or 0) > time
if not lived then redis.call('PUBLISH', channel, '+' .. own) end
redis.call('ZREMRANGEBYSCORE', instances, '-inf', time - 60000)
local found = {lived and 1 or 0}
local living = redis.call('ZRANGEBYSCORE', instances, '(' .. time, '+inf', 'WITHSCORES')
for i = 1, #living, 2 do
    if living[i] ~= own then
        found[#found + 1] = living[i]
        found[#found + 1] = tonumber(living[i + 1]) - time
    end
end
return found
"""
)

#: Say that this process is gone.
LEAVE = Script("""
if redis.pcall('ZREM', KEYS[1], ARGV[1]) == 1 then redis.call('PUBLISH', ARGV[2], '-' .. ARGV[1]) end
return 1
""")

SCRIPTS = (APPEND, HEADS, READ, READ_END, ENTER, EXIT, PEOPLE, BEAT, LEAVE)
