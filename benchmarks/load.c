/* The load of the benchmarks: many WebSocket clients in one thread, on epoll.
 *
 *     load MODE --port PORT --pid PID [--connections N] …       one line of JSON on standard output
 *
 * MODE is one of
 *     echo    every connection keeps --in-flight messages under way, each of which must come back; --paced connections
 *             besides send --rate messages a second in all, at random times (a Poisson process), whatever comes back;
 *             --half: then once more, all connections paced, at half the rate that was reached
 *     fanout  one member of a room sends, all receive; when all have it, the same one sends again (--rotate: the next)
 *     room    every member sends, and sends again when it has its own message back; all receive all
 *     open    connections are opened and closed, --opening at a time
 *     idle    connections are opened and held, pings are answered, until standard input ends; --deflate: each has had
 *             one message back before
 *
 * Messages are whole and plain, but for --parts N, each in so many frames, and --deflate: each compressed, and what comes
 * back must be. A message that is sent refers to none before it, so that it is compressed beforehand; what comes back is
 * inflated with all that came before it: in a room once for all members who got the very same bytes. Then the messages
 * are JSON, and no two in a row are the same.
 *
 * Everything that comes back is checked: the handshake, each frame's header, each byte of each message, who sent it and
 * which of his messages it is. Whatever is not as it must be ends the load with a message and exit code 1.
 *
 * It costs little: frames are masked beforehand, with different masks, and only their first bytes (who, which) are made
 * when they are sent; what comes back is compared with memcmp. It spins rather than sleeps, so that the server's sends
 * never pay for waking it (--sleepy: it sleeps, for where they share a core). "busy" tells which part of the time it was
 * not spinning in vain.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };
enum { PREFIX = 12, BUFFER = 256 * 1024, EVENTS = 512, MAX_HEADER = 10, MASK = 4, REPLY = 4096 };
enum { RSV1 = 0x40, STORED = 5, WINDOW_BITS = 10, WINDOW = 32768 };
/* What zlib says of where it is: between two blocks, with nothing read of the next. */
enum { BETWEEN_BLOCKS = 128 };
/* How far a member of a room may be behind the first and yet leave the inflating to it: in compressed bytes, and in
 * messages. As many messages more are remembered, since those before it fill its window. */
enum { LAG = 4 * BUFFER, MESSAGE_LAG = 4096, REMEMBERED = 2 * MESSAGE_LAG };
enum mode { ECHO, FANOUT, ROOM, OPEN, IDLE };
enum state { CLOSED, CONNECTING, HANDSHAKING, OPENED, CLOSING, ENDING };
enum phase { PREPARING, WARMING_UP, MEASURING, DRAINING, LEAVING, FINISHED };

static const char *const MODES[] = {"echo", "fanout", "room", "open", "idle"};
/* The sample of RFC 6455 §1.3, so that no SHA-1 is needed here. */
static const char KEY[] = "dGhlIHNhbXBsZSBub25jZQ==", ACCEPT[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
static const uint8_t NORMAL_CLOSURE[] = {1000 >> 8, 1000 & 255};
/* RFC 7692 §7.2.2: what is stripped from the end of a compressed message. */
static const uint8_t TAIL[] = {0, 0, 0xFF, 0xFF};

/* A message while it comes. */
struct message {
    size_t offset;                    /* bytes of its payload that came */
    uint8_t prefix[PREFIX];           /* the first of them */
};

struct connection {
    int fd;
    enum state state;
    bool is_paced, waits_for_room, is_queued, was_pinged;
    uint32_t id;
    uint64_t started_at;              /* when connect() was called */
    uint64_t sent, received;          /* messages handed to the kernel; messages of its own that came back */
    uint32_t to_send;                 /* messages that wait to be sent, the one under way included */
    size_t out_offset;                /* how much of the one under way is with the kernel */
    uint64_t *sent_at;                /* a ring of the times at which the last messages were due */
    uint32_t ring;                    /* its size */
    uint8_t header[MAX_HEADER];       /* of the incoming frame */
    uint8_t have;                     /* bytes of it */
    bool in_payload, in_message, is_compressed;
    z_stream *inflater;               /* deflate: what inflates what comes, unless the room's does */
    uint64_t taken, begun;            /* with the room's: compressed bytes that came, and those before the message */
    uint64_t ended;                   /* with the room's: messages that came */
    uint64_t left;                    /* bytes of the frame's payload to come */
    struct message message;
    uint8_t control[125];             /* the incoming control frame's payload */
    uint8_t answer[125 + 6];          /* the outgoing control frame, and how much of it is left */
    size_t answer_size;
    uint32_t *next_of;                /* fanout, room: which message of each member is the next */
    char *reply;                      /* the answer to the handshake, as far as it came */
    size_t reply_size;
};

/* Times fall into buckets of 1/32 of a power of two nanoseconds. */
struct histogram {
    uint64_t counts[64 * 32], total, max;
};

static enum mode mode;
static const char *path = "/echo", *protocol = "echo", *address = "127.0.0.1";
static double seconds = 1, warmup = 0.25, rate = 0, patience = 30;
static long port, pid, connections = 1, in_flight = 1, paced, size = 64, opening = 64, cpu = -1;
static long spread, rotate, sleepy, offer_deflate = 1, half, parts = 1, deflates;

static struct connection *all;
static int poller;
static enum phase phase;
static uint64_t now, phase_ends, busy, next_due, gives_up;
static uint64_t messages, pings, closed, round_received;
static long opened, next_to_open, next_paced, sender, pinged;
static bool overrun;
static struct histogram latency, paced_latency, opening_time;
static struct window {
    uint64_t began, ended, server_cpu, busy, done;
} windows[2]; /* as fast as it goes, and at half load */
static int stage;
static struct connection **queue; /* spread: who has something to send */
static long queue_head, queue_length;
static uint8_t *templates, *fillers, inbox[BUFFER], outbox[BUFFER], inflated[BUFFER];
static size_t *template_sizes, prefix_at;
static uint8_t **template_frames;
static long template_count;
static char request[2048];

/* All members of a room are told the same. Who has got the very bytes that the first of them got, from the beginning on,
 * would inflate them to the very same messages: so they are inflated and checked once. Who gets others goes on alone. */
static struct {
    z_stream inflater;
    struct message message;           /* the one that is being inflated */
    uint64_t taken, ended;            /* compressed bytes that came, and messages, of the first */
    uint64_t least_begun, least_ended; /* who was furthest behind when that was last looked at */
    uint8_t bytes[LAG];               /* a ring: the last that came */
    struct {
        uint64_t end;                 /* bytes that had come then */
        uint8_t prefix[PREFIX];
    } messages[REMEMBERED];           /* a ring: the last that ended */
} common;

/* End loudly; quietly only when all is measured and reported, and somebody is bad at saying goodbye. */
static void fail(const struct connection *c, const char *format, ...) {
    if (phase == LEAVING) exit(0);
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "load: ");
    if (c) fprintf(stderr, "connection %u, message %lu: ", c->id, (unsigned long)c->received);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    exit(1);
}

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time)) fail(NULL, "the clock of process %ld: %s", pid, strerror(errno));
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t server_cpu(void) {
    clockid_t clock;
    if (!pid) return 0;
    if (clock_getcpuclockid((pid_t)pid, &clock)) fail(NULL, "there is no process %ld", pid);
    return nanoseconds(clock);
}

/* Histograms */

static void record(struct histogram *h, uint64_t value) {
    int shift = value < 32 ? 0 : 58 - __builtin_clzll(value);
    h->counts[(shift + 1) * 32 + (int)(value >> shift) - 32]++;
    h->total++;
    if (value > h->max) h->max = value;
}

static double quantile(const struct histogram *h, double part) {
    uint64_t wanted = (uint64_t)ceil(part * (double)h->total), seen = 0;
    for (int i = 0; i < 64 * 32; i++) {
        seen += h->counts[i];
        if (seen >= wanted && seen) {
            int shift = i / 32 - 1;
            if (shift < 0) return i / 1e3;
            return (double)((uint64_t)(i % 32 + 32) << shift) * (1 + 1 / 64.0) / 1e3;
        }
    }
    return 0;
}

/* Messages: 12 characters that tell who sent it and which it is, then filler that is the same in all. */

static void write_prefix(uint8_t *to, uint64_t who, uint64_t which) {
    for (int i = 0; i < 4; i++) to[i] = '0' + (who >> (6 * i) & 63);
    for (int i = 0; i < 8; i++) to[4 + i] = '0' + (which >> (6 * i) & 63);
}

static uint64_t read_number(const uint8_t *from, int digits) {
    uint64_t number = 0;
    for (int i = digits - 1; i >= 0; i--) number = number << 6 | (uint64_t)((from[i] - '0') & 63);
    return number;
}

static size_t write_header(uint8_t *to, uint8_t first, uint64_t length) {
    size_t extra = length < 126 ? 0 : length < 65536 ? 2 : 8;
    to[0] = first;
    to[1] = 0x80 | (extra == 0 ? (uint8_t)length : extra == 2 ? 126 : 127);
    for (size_t i = 0; i < extra; i++) to[2 + i] = (uint8_t)(length >> 8 * (extra - 1 - i));
    return 2 + extra;
}

/* What messages say behind their first bytes: the alphabet, or compressed, JSON that is different in each template. */
static void make_filler(uint8_t *filler, long m) {
    static const char *const NAMES[] = {"Ana", "Ben", "Chloe", "Dmitri", "Emeka", "Fatima", "Gustav", "Hiroko"};
    static const char *const WORDS[] = {"the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and",
                                        "then", "sleeps", "in", "the", "sun", "again"};
    memset(filler, 0, PREFIX);
    if (!deflates) {
        for (long i = PREFIX; i < size; i++) filler[i] = (uint8_t)('a' + i % 26);
        return;
    }
    char entry[512];
    for (long at = PREFIX; at < size;) {
        int length = snprintf(entry, sizeof entry,
            "{\"type\": \"message\", \"room\": \"general\", \"id\": %ld, \"from\": \"%s\", \"text\": \"%s %s %s %s %s\", "
            "\"at\": \"2026-11-21T10:%02ld:%02ld.%03ldZ\"}, ",
            random() % 1000000, NAMES[random() % 8], WORDS[random() % 16], WORDS[random() % 16], WORDS[random() % 16],
            WORDS[random() % 16], WORDS[random() % 16], random() % 60, m % 60, random() % 1000);
        size_t part = length < size - at ? (size_t)length : (size_t)(size - at);
        memcpy(filler + at, entry, part);
        at += (long)part;
    }
}

/* The payload of a compressed message: its first bytes in a block of their own that is only stored, so that they can be
 * changed, then what follows, as zlib compresses it. */
static size_t deflate_message(const uint8_t *filler, uint8_t *to, size_t room) {
    static const uint8_t STORED_PREFIX[STORED] = {0, PREFIX, 0, 255 - PREFIX, 255};
    z_stream stream = {0};
    memcpy(to, STORED_PREFIX, STORED);
    memset(to + STORED, 0, PREFIX);
    if (deflateInit2(&stream, 6, Z_DEFLATED, -WINDOW_BITS, 8, Z_DEFAULT_STRATEGY)) fail(NULL, "zlib cannot deflate");
    stream.next_in = (uint8_t *)(uintptr_t)filler + PREFIX;
    stream.avail_in = (uInt)(size - PREFIX);
    stream.next_out = to + STORED + PREFIX;
    stream.avail_out = (uInt)(room - STORED - PREFIX);
    if (deflate(&stream, Z_SYNC_FLUSH) || stream.avail_in || !stream.avail_out) fail(NULL, "zlib did not deflate");
    size_t count = room - stream.avail_out - sizeof TAIL;
    deflateEnd(&stream);
    return count;
}

/* Write a message in its frames, masked, and return their size. */
static size_t write_frames(uint8_t *to, const uint8_t *payload, size_t count) {
    uint8_t *at = to;
    for (long part = 0; part < parts; part++) {
        size_t from = count * (size_t)part / (size_t)parts, end = count * (size_t)(part + 1) / (size_t)parts;
        uint8_t first = (uint8_t)((part == parts - 1 ? 0x80 : 0) | (part ? 0 : TEXT | (deflates ? RSV1 : 0)));
        uint32_t random_mask = (uint32_t)random() << 1 ^ (uint32_t)random();
        at += write_header(at, first, end - from);
        uint8_t *mask = at;
        memcpy(mask, &random_mask, MASK);
        at += MASK;
        if (!part) prefix_at = (size_t)(at - to) + (deflates ? STORED : 0);
        for (size_t i = from; i < end; i++) *at++ = payload[i] ^ mask[(i - from) % MASK];
    }
    return (size_t)(at - to);
}

static void make_templates(void) {
    size_t most = (size_t)size + (size_t)size / 100 + 1024, room = most + (size_t)parts * (MAX_HEADER + MASK);
    template_count = size >= 65536 ? 4 : size >= 4096 ? 16 : 64;
    fillers = malloc((size_t)size * (size_t)template_count);
    templates = malloc(room * (size_t)template_count);
    template_sizes = calloc((size_t)template_count, sizeof *template_sizes);
    template_frames = calloc((size_t)template_count, sizeof *template_frames);
    uint8_t *deflated = malloc(most);
    srandom(6455);
    for (long m = 0; m < template_count; m++) {
        uint8_t *filler = fillers + (size_t)size * (size_t)m;
        make_filler(filler, m);
        size_t count = deflates ? deflate_message(filler, deflated, most) : (size_t)size;
        template_frames[m] = templates + room * (size_t)m;
        template_sizes[m] = write_frames(template_frames[m], deflates ? deflated : filler, count);
    }
    free(deflated);
}

static size_t template_of(uint64_t who, uint64_t which) { return (size_t)((which + who) % (uint64_t)template_count); }

/* Copy what comes from `offset` on of message `which`. Its first bytes are the mask alone in the template. */
static size_t copy_message(const struct connection *c, uint64_t which, size_t offset, uint8_t *to, size_t room) {
    size_t m = template_of(c->id, which), left = template_sizes[m] - offset, count = left < room ? left : room;
    memcpy(to, template_frames[m] + offset, count);
    if (offset < prefix_at + PREFIX) {
        uint8_t prefix[PREFIX];
        write_prefix(prefix, c->id, which);
        for (size_t i = 0; i < PREFIX; i++) {
            size_t at = prefix_at + i;
            if (at >= offset && at < offset + count) to[at - offset] ^= prefix[i];
        }
    }
    return count;
}

/* Sending */

static void watch(struct connection *c, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(poller, operation, c->fd, &event)) fail(c, "epoll: %s", strerror(errno));
}

static void wait_for_room(struct connection *c, bool waits) {
    if (waits == c->waits_for_room) return;
    c->waits_for_room = waits;
    watch(c, EPOLL_CTL_MOD, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static size_t send_bytes(struct connection *c, const uint8_t *bytes, size_t count) {
    ssize_t taken = send(c->fd, bytes, count, MSG_NOSIGNAL);
    if (taken < 0) {
        if (errno != EAGAIN) fail(c, "send: %s", strerror(errno));
        taken = 0;
    }
    wait_for_room(c, (size_t)taken < count);
    return (size_t)taken;
}

static void send_answer(struct connection *c) {
    size_t taken = send_bytes(c, c->answer, c->answer_size);
    c->answer_size -= taken;
    memmove(c->answer, c->answer + taken, c->answer_size);
}

static void send_messages(struct connection *c, uint32_t count) {
    size_t filled = 0, offset = c->out_offset;
    for (uint32_t i = 0; i < count && filled < BUFFER; i++, offset = 0)
        filled += copy_message(c, c->sent + i, offset, outbox + filled, BUFFER - filled);
    size_t done = c->out_offset + send_bytes(c, outbox, filled), next;
    while (c->to_send && done >= (next = template_sizes[template_of(c->id, c->sent)])) {
        done -= next;
        c->sent++;
        c->to_send--;
    }
    c->out_offset = done;
}

/* Hand the kernel what it takes: at most `count` messages in one segment, or what is left of one. */
static void flush(struct connection *c, uint32_t count) {
    do {
        if (c->answer_size && !c->out_offset) send_answer(c);
        else if (c->to_send) send_messages(c, c->to_send < count ? c->to_send : count);
    } while (!c->waits_for_room && (c->answer_size || (c->to_send && (!spread || c->out_offset))));
}

/* Let a connection send one more message, which was due at `due`. */
static void grant(struct connection *c, uint64_t due) {
    uint64_t which = c->sent + c->to_send;
    if (which - c->received >= c->ring) { /* it answers nothing for long: more is of no use */
        overrun = true;
        return;
    }
    c->sent_at[which % c->ring] = due;
    c->to_send++;
    if (spread && !c->is_queued) {
        c->is_queued = true;
        queue[(queue_head + queue_length++) % connections] = c;
    }
}

/* Spread: send one message of the connection that waits longest, in a segment of its own. */
static void send_next(void) {
    if (!queue_length) return;
    struct connection *c = queue[queue_head];
    queue_head = (queue_head + 1) % connections;
    queue_length--;
    c->is_queued = false;
    if (!c->waits_for_room) flush(c, 1);
    if (c->to_send) {
        c->is_queued = true;
        queue[(queue_head + queue_length++) % connections] = c;
    }
}

static void send_due(void) {
    while (next_due <= now) {
        struct connection *c = all + connections - paced + next_paced;
        next_paced = (next_paced + 1) % paced;
        grant(c, next_due);
        if (!c->waits_for_room) flush(c, UINT32_MAX);
        next_due += (uint64_t)(-log((random() + 1.0) / (RAND_MAX + 2.0)) * 1e9 / rate);
    }
}

/* Receiving */

static void answer(struct connection *c, uint8_t opcode, const uint8_t *payload, size_t count) {
    if (c->answer_size) fail(c, "a second ping came before the first could be answered");
    size_t head = write_header(c->answer, 0x80 | opcode, count);
    memset(c->answer + head, 0x2A, MASK);
    for (size_t i = 0; i < count; i++) c->answer[head + MASK + i] = payload[i] ^ 0x2A;
    c->answer_size = head + MASK + count;
    if (!c->waits_for_room) flush(c, UINT32_MAX);
}

static void come_back(struct connection *c, uint64_t which) {
    if (which != c->received) fail(c, "message %lu came instead", (unsigned long)which);
    record(c->is_paced ? &paced_latency : &latency, now - c->sent_at[which % c->ring]);
    c->received++;
    if (c->is_paced || phase >= DRAINING) return;
    if (mode == FANOUT || mode == IDLE) return;
    grant(c, now);
}

static void next_round(void) {
    round_received = 0;
    if (phase >= DRAINING) return;
    if (rotate) sender = (sender + 1) % connections;
    grant(all + sender, now);
    flush(all + sender, UINT32_MAX);
}

/* A whole message came: whose, and which? */
static void message_done(struct connection *c) {
    uint64_t who = read_number(c->message.prefix, 4), which = read_number(c->message.prefix + 4, 8);
    uint8_t prefix[PREFIX];
    write_prefix(prefix, who, which);
    if (memcmp(prefix, c->message.prefix, PREFIX)) fail(c, "its first bytes are garbled");
    messages++;
    if (mode == ECHO || mode == IDLE) {
        if (who != c->id) fail(c, "a message of connection %lu came", (unsigned long)who);
        come_back(c, which);
        return;
    }
    if (who >= (uint64_t)connections || which != c->next_of[who]++)
        fail(c, "message %lu of member %lu came out of turn", (unsigned long)which, (unsigned long)who);
    if (who == c->id) come_back(c, which);
    else if (mode == FANOUT) record(&latency, now - all[who].sent_at[which % all[who].ring]);
    if (mode == FANOUT && ++round_received == (uint64_t)connections) next_round();
}

static const uint8_t *filler_of(const uint8_t *prefix) {
    return fillers + (size_t)size * template_of(read_number(prefix, 4), read_number(prefix + 4, 8));
}

static void check_payload(const struct connection *c, struct message *m, const uint8_t *bytes, size_t count) {
    if (m->offset + count > (size_t)size) fail(c, "it is longer than what was sent");
    while (count && m->offset < PREFIX) {
        m->prefix[m->offset++] = *bytes++;
        count--;
    }
    if (count && memcmp(bytes, filler_of(m->prefix) + m->offset, count)) fail(c, "its payload is not what was sent");
    m->offset += count;
}

/* Inflating */

/* Inflate what came of a compressed message, with all that came before it, and check it. */
static void inflate_for(const struct connection *c, z_stream *inflater, struct message *m, const uint8_t *bytes,
                        size_t count) {
    if (!count) return;
    inflater->next_in = (uint8_t *)(uintptr_t)bytes;
    inflater->avail_in = (uInt)count;
    do {
        inflater->next_out = inflated;
        inflater->avail_out = BUFFER;
        int result = inflate(inflater, Z_SYNC_FLUSH);
        if (result && result != Z_BUF_ERROR) fail(c, "its compressed payload is damaged");
        check_payload(c, m, inflated, BUFFER - inflater->avail_out);
    } while (!inflater->avail_out);
    if (inflater->avail_in) fail(c, "something is left of its compressed payload");
}

/* Let an inflater that is new know the room's first `count` messages, as far as its window holds them. They were checked,
 * so that the first bytes of each tell the others. */
static void fill_window(z_stream *inflater, uint64_t count) {
    uint64_t needed = WINDOW / (uint64_t)size + 1, first = count > needed ? count - needed : 0;
    uint8_t *texts = malloc((size_t)(needed * (uint64_t)size)), *at = texts;
    for (uint64_t i = first; i < count; i++, at += size) {
        const uint8_t *prefix = common.messages[i % REMEMBERED].prefix;
        memcpy(at, filler_of(prefix), (size_t)size);
        memcpy(at, prefix, PREFIX);
    }
    if (inflateSetDictionary(inflater, texts, (uInt)(at - texts))) fail(NULL, "zlib takes no dictionary");
    free(texts);
}

/* Of `count` bytes from `at` on, how many the ring holds in a row. */
static size_t in_a_row(uint64_t at, uint64_t count) {
    uint64_t most = LAG - at % LAG;
    return (size_t)(count < most ? count : most);
}

/* Inflate for this connection alone what came of the message under way, and what will come. */
static void go_alone(struct connection *c) {
    c->inflater = calloc(1, sizeof *c->inflater);
    if (inflateInit2(c->inflater, -15)) fail(c, "zlib cannot inflate");
    fill_window(c->inflater, c->ended);
    c->message.offset = 0;
    for (uint64_t at = c->begun, row; at < c->taken; at += row) {
        row = in_a_row(at, c->taken - at);
        inflate_for(c, c->inflater, &c->message, common.bytes + at % LAG, row);
    }
}

/* Let those go on alone who would be too far behind once `count` bytes more have come. With them goes who is half as
 * far behind, so that they are seldom looked for. */
static void leave_behind(size_t count) {
    uint64_t taken = common.taken + count, ended = common.ended;
    if (taken - common.least_begun <= LAG && ended - common.least_ended <= MESSAGE_LAG) return;
    common.least_begun = taken;
    common.least_ended = ended;
    for (struct connection *c = all; c < all + connections; c++) {
        if (c->inflater) continue;
        if (taken - c->begun > LAG / 2 || ended - c->ended > MESSAGE_LAG / 2) {
            go_alone(c);
            continue;
        }
        if (c->begun < common.least_begun) common.least_begun = c->begun;
        if (c->ended < common.least_ended) common.least_ended = c->ended;
    }
}

/* Take what came of a compressed message as far as it is what the others got, or the first to come: that is inflated for
 * all. Return how much that is. */
static size_t take_in_common(struct connection *c, const uint8_t *bytes, size_t count) {
    size_t done = 0, row;
    for (; done < count; done += row, c->taken += row) {
        uint64_t known = common.taken - c->taken, left = count - done;
        row = in_a_row(c->taken, known && known < left ? known : left);
        if (known) {
            if (memcmp(common.bytes + c->taken % LAG, bytes + done, row)) break;
            continue;
        }
        leave_behind(row);
        if (c->inflater) break; /* its message is too long */
        memcpy(common.bytes + common.taken % LAG, bytes + done, row);
        common.taken += row;
        inflate_for(c, &common.inflater, &common.message, bytes + done, row);
    }
    return done;
}

/* Take the end of a compressed message, if it is where the others' was, or as the first. */
static bool end_in_common(struct connection *c) {
    if (c->ended == common.ended) {
        bool is_right = common.message.offset == (size_t)size && common.inflater.data_type == BETWEEN_BLOCKS;
        if (c->taken != common.taken || !is_right) return false;
        common.messages[common.ended % REMEMBERED].end = common.taken;
        memcpy(common.messages[common.ended++ % REMEMBERED].prefix, common.message.prefix, PREFIX);
        common.message.offset = 0;
    }
    if (common.messages[c->ended % REMEMBERED].end != c->taken) return false;
    memcpy(c->message.prefix, common.messages[c->ended++ % REMEMBERED].prefix, PREFIX);
    c->message.offset = (size_t)size;
    c->begun = c->taken;
    return true;
}

static void check_compressed(struct connection *c, const uint8_t *bytes, size_t count) {
    bool is_in_room = mode == ROOM || mode == FANOUT;
    size_t done = is_in_room && !c->inflater ? take_in_common(c, bytes, count) : 0;
    if (done == count) return;
    if (!c->inflater) go_alone(c);
    inflate_for(c, c->inflater, &c->message, bytes + done, count - done);
}

static void end_compressed(struct connection *c) {
    check_compressed(c, TAIL, sizeof TAIL);
    if (!c->inflater && end_in_common(c)) return;
    if (!c->inflater) go_alone(c);
    if (c->inflater->data_type != BETWEEN_BLOCKS) fail(c, "its compressed payload does not end with a block");
}

static void control_done(struct connection *c, uint8_t opcode) {
    size_t count = c->header[1] & 127;
    if (opcode == PING) {
        pings++;
        if (!c->was_pinged) pinged++;
        c->was_pinged = true;
        if (c->state == OPENED) answer(c, PONG, c->control, count);
    } else if (opcode == CLOSE) {
        int code = count >= 2 ? c->control[0] << 8 | c->control[1] : 1005;
        if (c->state != CLOSING) fail(c, "the server closed with %d", code);
        if (count < 2 || memcmp(c->control, NORMAL_CLOSURE, 2)) fail(c, "the close was not answered with 1000");
        c->state = ENDING;
    } else if (opcode != PONG) {
        fail(c, "a frame with opcode %d came", opcode);
    }
}

static void header_done(struct connection *c) {
    uint8_t opcode = c->header[0] & 15, length = c->header[1];
    c->left = length;
    uint8_t reserved = deflates && opcode == TEXT ? 0x30 : 0x70;
    if (c->header[0] & reserved || length & 0x80) fail(c, "its header is wrong: %02x %02x", c->header[0], length);
    if (length >= 126) {
        c->left = 0;
        for (int i = 2; i < c->have; i++) c->left = c->left << 8 | c->header[i];
        if (c->left < (length == 126 ? 126 : 65536)) fail(c, "its length is not in the shortest form");
    }
    if (opcode >= 8) {
        if (length > 125 || !(c->header[0] & 0x80)) fail(c, "a control frame is too long or fragmented");
    } else {
        if (opcode != (c->in_message ? 0 : TEXT)) fail(c, "its opcode is %d", opcode);
        if (!c->in_message) c->is_compressed = c->header[0] & RSV1;
        if (deflates && !c->is_compressed) fail(c, "it is not compressed");
        c->in_message = true;
    }
    c->in_payload = true;
}

static void frame_done(struct connection *c) {
    uint8_t opcode = c->header[0] & 15;
    c->in_payload = false;
    c->have = 0;
    if (opcode >= 8) {
        control_done(c, opcode);
    } else if (c->header[0] & 0x80) {
        if (c->is_compressed) end_compressed(c);
        if (c->message.offset != (size_t)size) fail(c, "only %zu bytes came back of %ld", c->message.offset, size);
        c->in_message = false;
        c->message.offset = 0;
        message_done(c);
    }
}

static void take_frames(struct connection *c, const uint8_t *bytes, size_t count) {
    const uint8_t *end = bytes + count;
    while (bytes < end) {
        if (c->state == ENDING) fail(c, "something came after the close frame");
        if (!c->in_payload) {
            c->header[c->have++] = *bytes++;
            uint8_t length = c->header[1] & 127;
            if (c->have < 2 || c->have < (length < 126 ? 2 : length == 126 ? 4 : 10)) continue;
            header_done(c);
        }
        size_t part = (size_t)(end - bytes) < c->left ? (size_t)(end - bytes) : c->left;
        if (c->header[0] & 8) memcpy(c->control + (c->header[1] & 127) - c->left, bytes, part);
        else if (c->is_compressed) check_compressed(c, bytes, part);
        else check_payload(c, &c->message, bytes, part);
        bytes += part;
        c->left -= part;
        if (!c->left) frame_done(c);
    }
}

/* Connections */

static void connect_one(struct connection *c) {
    static uint32_t count;
    struct sockaddr_in here = {.sin_family = AF_INET}, there = {.sin_family = AF_INET};
    int one = 1;
    there.sin_port = htons((uint16_t)port);
    /* Sixteen source addresses: the ports of one would run out. */
    here.sin_addr.s_addr = htonl(0x7F000001 + count++ % 16);
    inet_pton(AF_INET, address, &there.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fail(c, "socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(c->fd, (struct sockaddr *)&here, sizeof here)) fail(c, "bind: %s", strerror(errno));
    if (connect(c->fd, (struct sockaddr *)&there, sizeof there) && errno != EINPROGRESS)
        fail(c, "connect: %s", strerror(errno));
    c->state = CONNECTING;
    c->started_at = nanoseconds(CLOCK_MONOTONIC);
    c->reply = malloc(REPLY);
    c->reply_size = 0;
    c->have = 0;
    c->in_payload = false;
    c->waits_for_room = true;
    watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

/* What Chromium sends. */
static void make_request(void) {
    int count = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: %s:%ld\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
        "Safari/537.36\r\nUpgrade: websocket\r\nOrigin: http://%s:%ld\r\nSec-WebSocket-Version: 13\r\n"
        "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
        "Cookie: session=9f86d081884c7d659a2feaa0c55ad015; theme=dark\r\nSec-WebSocket-Key: %s\r\n"
        "%s%s%s%s\r\n",
        path, address, port, address, port, KEY,
        offer_deflate ? "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" : "",
        *protocol ? "Sec-WebSocket-Protocol: " : "", protocol,
        *protocol ? "\r\n" : "");
    if (count >= (int)sizeof request) fail(NULL, "the path or the protocol is too long");
}

static void send_request(struct connection *c) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) fail(c, "connect: %s", strerror(error));
    if (send_bytes(c, (const uint8_t *)request, strlen(request)) != strlen(request)) fail(c, "the request did not fit");
    c->state = HANDSHAKING;
}

static void check_reply(const struct connection *c) {
    char wanted[128];
    snprintf(wanted, sizeof wanted, "\r\nsec-websocket-accept: %s\r\n", ACCEPT);
    bool is_accepted = !strncmp(c->reply, "HTTP/1.1 101 ", 13) && strcasestr(c->reply, wanted);
    is_accepted = is_accepted && strcasestr(c->reply, "\r\nupgrade: websocket\r\n");
    if (!is_accepted) fail(c, "the handshake failed:\n%s", c->reply);
    snprintf(wanted, sizeof wanted, "\r\nsec-websocket-protocol: %s\r\n", protocol);
    if (*protocol && !strcasestr(c->reply, wanted)) fail(c, "the subprotocol was not chosen:\n%s", c->reply);
    bool compresses = strcasestr(c->reply, "\r\nsec-websocket-extensions: permessage-deflate") != NULL;
    if (!deflates && strcasestr(c->reply, "\r\nsec-websocket-extensions:")) fail(c, "it compresses:\n%s", c->reply);
    if (deflates && !compresses) fail(c, "it does not compress:\n%s", c->reply);
    if (strcasestr(c->reply, "client_max_window_bits=9")) fail(c, "our messages need a window of %d bits", WINDOW_BITS);
}

static void connection_opened(struct connection *c) {
    c->state = OPENED;
    opened++;
    record(&opening_time, now - c->started_at);
    if (mode == OPEN) {
        c->state = CLOSING;
        answer(c, CLOSE, NORMAL_CLOSURE, 2);
    } else if (next_to_open < connections) {
        connect_one(all + next_to_open++);
    }
}

static void take_reply(struct connection *c, const uint8_t *bytes, size_t count) {
    if (c->reply_size + count >= REPLY) fail(c, "the answer to the handshake is too long");
    memcpy(c->reply + c->reply_size, bytes, count);
    c->reply_size += count;
    c->reply[c->reply_size] = 0;
    char *end = strstr(c->reply, "\r\n\r\n");
    if (!end) return;
    end[2] = 0;
    check_reply(c);
    size_t more = c->reply_size - (size_t)(end + 4 - c->reply);
    connection_opened(c);
    free(c->reply);
    c->reply = NULL;
    take_frames(c, bytes + count - more, more);
}

static void connection_ended(struct connection *c) {
    if (c->state != ENDING) fail(c, "the server dropped the connection");
    if (c->inflater) inflateEnd(c->inflater);
    free(c->inflater);
    c->inflater = NULL;
    close(c->fd);
    c->state = CLOSED;
    opened--;
    closed++;
    if (phase < DRAINING) connect_one(c);
}

static void receive(struct connection *c) {
    ssize_t count = recv(c->fd, inbox, BUFFER, 0);
    if (count < 0) {
        if (errno == EAGAIN) return;
        fail(c, "recv: %s", strerror(errno));
    }
    if (count == 0) {
        connection_ended(c);
    } else if (c->state == HANDSHAKING) {
        take_reply(c, inbox, (size_t)count);
    } else {
        take_frames(c, inbox, (size_t)count);
        if (c->to_send && !spread && !c->waits_for_room) flush(c, UINT32_MAX);
    }
}

static void handle(struct connection *c, uint32_t events) {
    if (c->state == CONNECTING) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) send_request(c);
        return;
    }
    if (events & EPOLLOUT) {
        wait_for_room(c, false);
        flush(c, spread ? 1 : UINT32_MAX);
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) receive(c);
}

/* Phases */

static void grant_all(void) {
    for (long i = 0; i < connections - paced; i++) {
        for (long k = 0; k < in_flight; k++) grant(all + i, now);
        if (!spread) flush(all + i, UINT32_MAX);
    }
}

static void begin_talking(void) {
    phase = WARMING_UP;
    phase_ends = now + (uint64_t)(warmup * 1e9);
    if (mode == FANOUT) next_round();
    if (mode == ROOM || mode == ECHO) grant_all();
    next_due = paced ? now : UINT64_MAX;
}

/* From now on every connection is paced, at half the rate that was reached. */
static void begin_half(void) {
    const struct window *w = windows;
    stage = 1;
    rate = (double)w->done / 2 / ((double)(w->ended - w->began) / 1e9);
    if (rate < 1) rate = 1;
    paced = connections;
    for (long i = 0; i < connections; i++) all[i].is_paced = true;
    begin_talking();
}

static uint64_t count_done(void) { return mode == OPEN ? closed : messages; }

static void begin_window(void) {
    struct window *w = windows + stage;
    if (stage == 0) memset(&latency, 0, sizeof latency);
    memset(&paced_latency, 0, sizeof paced_latency);
    if (mode == OPEN) memset(&opening_time, 0, sizeof opening_time);
    w->done = count_done();
    w->busy = busy;
    w->server_cpu = server_cpu();
    w->began = nanoseconds(CLOCK_MONOTONIC);
    phase = MEASURING;
    phase_ends = w->began + (uint64_t)(seconds * 1e9);
}

static void end_window(void) {
    struct window *w = windows + stage;
    w->done = count_done() - w->done;
    w->busy = busy - w->busy;
    w->server_cpu = server_cpu() - w->server_cpu;
    w->ended = now;
    next_due = UINT64_MAX;
    phase = DRAINING;
    gives_up = now + (uint64_t)(patience * 1e9);
}

static bool all_is_back(void) {
    uint64_t sent = 0;
    if (mode == OPEN) return true;
    for (long i = 0; i < connections; i++) {
        if (all[i].to_send) return false;
        sent += all[i].sent;
    }
    return messages == sent * (mode == ECHO ? 1 : (uint64_t)connections);
}

static void report(void);

static bool all_left(void) {
    for (long i = 0; i < connections; i++)
        if (all[i].state != CLOSED) return false;
    return true;
}

/* Say goodbye, so that the server has no errors to log. One that is slow to answer is not waited for for long. */
static void leave(void) {
    phase = LEAVING;
    gives_up = now + 5000000000u;
    for (long i = 0; i < connections; i++) {
        if (all[i].state != OPENED) continue;
        all[i].state = CLOSING;
        answer(all + i, CLOSE, NORMAL_CLOSURE, 2);
    }
}

static void next_phase(void) {
    if (phase == PREPARING && (mode == OPEN || opened == connections)) {
        begin_talking();
    } else if (phase == WARMING_UP && now >= phase_ends) {
        begin_window();
    } else if (phase == MEASURING && now >= phase_ends) {
        end_window();
    } else if (phase == DRAINING && all_is_back()) {
        if (half && stage == 0) {
            begin_half();
        } else {
            report();
            leave();
        }
    } else if (phase == LEAVING && (all_left() || now >= gives_up)) {
        phase = FINISHED;
    }
    if (phase < LEAVING && now >= gives_up)
        fail(NULL, phase == PREPARING ? "only %ld of %ld connections opened in time"
                                      : "not all came back in time (%ld of %ld connections)", opened, connections);
}

static void print_histogram(const char *name, const struct histogram *h) {
    printf(", \"%s\": {\"count\": %lu, \"p50_us\": %.2f, \"p90_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, "
           "\"max_us\": %.2f}", name, (unsigned long)h->total, quantile(h, 0.5), quantile(h, 0.9), quantile(h, 0.99),
           quantile(h, 0.999), (double)h->max / 1e3);
}

static void print_window(const char *name, const struct window *w) {
    printf(", \"%s\": {\"messages\": %lu, \"seconds\": %.6f, \"server_cpu_seconds\": %.9f, \"busy\": %.4f}", name,
           (unsigned long)w->done, (double)(w->ended - w->began) / 1e9, (double)w->server_cpu / 1e9,
           (double)w->busy / (double)(w->ended - w->began + 1));
}

/* The histograms hold what came while draining too: each message that was sent counts. */
static void report(void) {
    printf("{\"mode\": \"%s\", \"connections\": %ld, \"pings\": %lu, \"overrun\": %s, \"errors\": 0, \"rate\": %.1f",
           MODES[mode], connections, (unsigned long)pings, overrun ? "true" : "false", rate);
    print_window("window", windows);
    if (half) print_window("half_window", windows + 1);
    print_histogram("latency", &latency);
    if (paced) print_histogram("paced", &paced_latency);
    print_histogram("opening", &opening_time);
    printf("}\n");
    fflush(stdout);
}

/* Hold the connections, and say on standard output when all are open and when all were pinged, until told to end. */
static void next_idle_phase(bool is_told_to_end) {
    if (phase == LEAVING) {
        if (all_left() || now >= gives_up) phase = FINISHED;
    } else if (phase == PREPARING && opened == connections && !messages && deflates) {
        if (!all->sent) grant_all();
    } else if (phase == PREPARING && opened == connections && (!deflates || messages == (uint64_t)connections)) {
        phase = WARMING_UP;
        printf("open\n");
        fflush(stdout);
    }
    if (phase == WARMING_UP && pinged == connections) {
        phase = MEASURING;
        printf("pinged\n");
        fflush(stdout);
    }
    if (is_told_to_end) {
        epoll_ctl(poller, EPOLL_CTL_DEL, 0, NULL);
        report();
        leave();
    } else if (phase < LEAVING && now >= gives_up) {
        fail(NULL, phase == PREPARING ? "only %ld of %ld connections opened in time"
                                      : "nobody ended this in time (%ld of %ld)", opened, connections);
    }
}

static void prepare(void) {
    struct rlimit files;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < (rlim_t)connections + 64)
        fail(NULL, "only %lu files may be open", (unsigned long)files.rlim_cur);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (mode == IDLE && epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event)) fail(NULL, "standard input: %s", strerror(errno));
    all = calloc((size_t)connections, sizeof *all);
    queue = calloc((size_t)connections, sizeof *queue);
    for (long i = 0; i < connections; i++) {
        struct connection *c = all + i;
        c->id = (uint32_t)i;
        c->is_paced = i >= connections - paced;
        c->ring = c->is_paced || half ? (uint32_t)(262144 / connections + in_flight) : (uint32_t)in_flight;
        c->sent_at = calloc(c->ring, sizeof *c->sent_at);
        if (mode == ROOM || mode == FANOUT) c->next_of = calloc((size_t)connections, sizeof *c->next_of);
    }
    if (inflateInit2(&common.inflater, -15)) fail(NULL, "zlib cannot inflate");
    make_templates();
    make_request();
}

static void run(void) {
    static struct epoll_event events[EVENTS];
    now = nanoseconds(CLOCK_MONOTONIC);
    gives_up = now + (uint64_t)((patience + (mode == IDLE ? seconds : 0)) * 1e9);
    next_due = UINT64_MAX;
    while (next_to_open < connections && next_to_open < opening) connect_one(all + next_to_open++);
    while (phase != FINISHED) {
        bool spins = !sleepy && mode != IDLE && (phase == WARMING_UP || phase == MEASURING);
        int count = epoll_wait(poller, events, EVENTS, spins || queue_length ? 0 : paced ? 1 : 10);
        bool is_told_to_end = false;
        uint64_t before = now = nanoseconds(CLOCK_MONOTONIC);
        if (phase == WARMING_UP || phase == MEASURING) gives_up = now + (uint64_t)(patience * 1e9);
        for (int i = 0; i < count; i++) {
            if (i) now = nanoseconds(CLOCK_MONOTONIC);
            if (events[i].data.ptr) handle(events[i].data.ptr, events[i].events);
            else is_told_to_end = true;
        }
        bool was_idle = count <= 0 && !queue_length && next_due > now;
        send_next();
        if (paced) send_due();
        now = nanoseconds(CLOCK_MONOTONIC);
        if (!was_idle) busy += now - before;
        if (mode == IDLE) next_idle_phase(is_told_to_end);
        else next_phase();
    }
}

/* The command line */

static const struct {
    const char *name;
    long *number;
    double *real;
    const char **text;
} OPTIONS[] = {
    {"port", &port, 0, 0}, {"pid", &pid, 0, 0}, {"connections", &connections, 0, 0}, {"in-flight", &in_flight, 0, 0},
    {"paced", &paced, 0, 0}, {"size", &size, 0, 0}, {"opening", &opening, 0, 0}, {"cpu", &cpu, 0, 0},
    {"spread", &spread, 0, 0}, {"rotate", &rotate, 0, 0}, {"sleepy", &sleepy, 0, 0}, {"half", &half, 0, 0},
    {"offer-deflate", &offer_deflate, 0, 0}, {"parts", &parts, 0, 0}, {"deflate", &deflates, 0, 0},
    {"seconds", 0, &seconds, 0}, {"warmup", 0, &warmup, 0}, {"rate", 0, &rate, 0}, {"patience", 0, &patience, 0},
    {"path", 0, 0, &path}, {"protocol", 0, 0, &protocol}, {"address", 0, 0, &address},
};

static void set_option(const char *name, const char *value) {
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        if (strncmp(name, "--", 2) || strcmp(name + 2, OPTIONS[i].name)) continue;
        if (OPTIONS[i].number) *OPTIONS[i].number = atol(value);
        if (OPTIONS[i].real) *OPTIONS[i].real = atof(value);
        if (OPTIONS[i].text) *OPTIONS[i].text = value;
        return;
    }
    fail(NULL, "there is no option %s", name);
}

static void parse(int argc, char **argv) {
    int found = -1;
    for (int i = 0; argc > 1 && i < 5; i++)
        if (!strcmp(argv[1], MODES[i])) found = i;
    if (found < 0 || argc % 2) fail(NULL, "usage: load echo|fanout|room|open|idle --port PORT [--OPTION VALUE] ...");
    mode = (enum mode)found;
    for (int i = 2; i < argc; i += 2) set_option(argv[i], argv[i + 1]);
    if (mode == OPEN) connections = opening;
    if (port <= 0 || connections <= 0 || in_flight <= 0 || opening <= 0) fail(NULL, "numbers are at least 1");
    if (size < PREFIX) fail(NULL, "a message has at least %d bytes", PREFIX);
    if (parts < 1 || size / parts < PREFIX) fail(NULL, "so many parts are too short");
    if (parts > 1 && deflates) fail(NULL, "messages in parts are not compressed here");
    if (paced < 0 || paced > connections || (paced && (mode != ECHO || rate <= 0))) fail(NULL, "--paced needs --rate");
}

int main(int argc, char **argv) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it ends with whoever started it */
    parse(argc, argv);
    if (cpu >= 0) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET((size_t)cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
    }
    prepare();
    run();
    return 0;
}
