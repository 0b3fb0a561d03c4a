/* Load on an HTTP tracker (BEP 3), and a responder that does next to nothing, whose rate is the ceiling of this load.
 *
 *   http_load serve PORT                                  answer every request with the same bytes, for ever
 *   http_load close PORT PEERS SWARMS SECONDS IN_FLIGHT   a connection for each announce, as many as are answered
 *   http_load keep  PORT PEERS SWARMS SECONDS IN_FLIGHT   IN_FLIGHT connections, on each the next announce after an answer
 *   http_load pace  PORT PEERS SWARMS SECONDS RATE        a connection for each announce, at a fixed rate
 *
 * Peers and swarms are those of udp_load.c, so that it can fill the tracker: peer N comes from 127.0.0.(2 + N % SOURCES).
 * An answer counts once it is whole: at the end of its connection, or of its Content-Length where the connection stays.
 * Times of `pace` run from the moment a request was due, so a generator that falls behind shows. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

enum { SOURCES = 16, ROOM = 8192, SLOTS = 4096, PATIENCE = 2000 };

static uint64_t state = 88172645463325252ull;
static uint64_t chance(void) { state ^= state << 13; state ^= state >> 7; return state ^= state << 17; }
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }
static void die(const char *what) { perror(what); exit(2); }

static struct sockaddr_in at(const char *host, int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &a.sin_addr);
    return a;
}

static char fixed_close[1024], fixed_keep[1024];
static int fixed_close_size, fixed_keep_size;

static int respond(int fd) {                                        /* 0 once the connection is over */
    static char in[ROOM];
    ssize_t n = recv(fd, in, ROOM - 1, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return 1;
    if (n <= 0) { close(fd); return 0; }
    in[n] = 0;
    if (strstr(in, "Connection: close")) {
        send(fd, fixed_close, fixed_close_size, MSG_NOSIGNAL);
        close(fd);
        return 0;
    }
    send(fd, fixed_keep, fixed_keep_size, MSG_NOSIGNAL);
    return 1;
}

static void serve(int port) {
    struct sockaddr_in a = at("127.0.0.1", port);
    struct epoll_event events[64], e = {.events = EPOLLIN};
    int one = 1, poller = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    char body[512] = "d8:completei25e10:incompletei75e8:intervali1800e5:peers300:";
    int size = strlen(body) + 300;
    memset(body + strlen(body), 'p', 300);
    body[size++] = 'e';
    fixed_close_size = sprintf(fixed_close, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", size);
    fixed_keep_size = sprintf(fixed_keep, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", size);
    memcpy(fixed_close + fixed_close_size, body, size), fixed_close_size += size;
    memcpy(fixed_keep + fixed_keep_size, body, size), fixed_keep_size += size;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(listener, (void *)&a, sizeof a) || listen(listener, 4096)) die("listen");
    e.data.fd = listener;
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(poller, events, 64, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd != listener) { respond(events[i].data.fd); continue; }
            for (int fd, most = 64; most-- && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                if (!respond(fd)) continue;
                e.data.fd = fd;
                epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
            }
        }
    }
}

struct slot { int fd, source, got, need; double due; char in[ROOM]; };

static struct slot *slots;
static struct sockaddr_in to, from[SOURCES];
static uint64_t peers, swarms, answered, failed, given, timed;
static int keep;
static float *times;

static char *escape(char *out, const unsigned char *raw) {
    for (int i = 0; i < 20; i++) {
        unsigned c = raw[i];
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' || c == '~') *out++ = c;
        else *out++ = '%', *out++ = "0123456789ABCDEF"[c >> 4], *out++ = "0123456789ABCDEF"[c & 15];
    }
    return out;
}

static int request(char *out, uint64_t peer) {
    uint64_t swarm = peer % swarms, in_swarm = peer / swarms, mixed = (swarm + 1) * 0x9E3779B97F4A7C15ull;
    unsigned char info_hash[20] = {0}, id[20] = "-LD0001-";
    char *p = out;
    memcpy(info_hash, &mixed, 8), memcpy(info_hash + 8, &swarm, 8), memcpy(id + 8, &peer, 8);
    p = stpcpy(p, "GET /announce?info_hash=");
    p = stpcpy((*(p = escape(p, info_hash)) = 0, p), "&peer_id=");
    p = escape(p, id);
    p += sprintf(p, "&port=%lu&uploaded=0&downloaded=0&left=%d&corrupt=0&key=%08X&numwant=50&compact=1&no_peer_id=1 HTTP/1.1\r\n"
                 "Host: 127.0.0.1:6969\r\nUser-Agent: load/1.0\r\nAccept-Encoding: gzip\r\n%s\r\n",
                 1024 + peer / SOURCES, in_swarm % 4 ? 1000 : 0, (unsigned)peer, keep ? "" : "Connection: close\r\n");
    return p - out;
}

static void begin(struct slot *s) {
    char out[1024];
    int one = 1, size;
    if (s->fd < 0) {
        s->source = chance() % SOURCES;
        s->fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (keep) setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (s->fd < 0 || bind(s->fd, (void *)&from[s->source], sizeof *from)) die("bind");
        if (connect(s->fd, (void *)&to, sizeof to)) { failed++; close(s->fd); s->fd = -1; return; }
    }
    size = request(out, s->source + SOURCES * (chance() % (peers / SOURCES)));
    s->got = 0, s->need = ROOM;
    if (send(s->fd, out, size, MSG_NOSIGNAL) != size) { failed++; close(s->fd); s->fd = -1; }
}

static int more(struct slot *s) {                                   /* 1 once the answer is whole or will never be */
    for (;;) {
        ssize_t n = recv(s->fd, s->in + s->got, ROOM - 1 - s->got, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return 0;
        if (n > 0) s->got += n;
        s->in[s->got] = 0;
        if (keep && n > 0) {
            char *end = strstr(s->in, "\r\n\r\n"), *length = end ? strcasestr(s->in, "Content-Length: ") : NULL;
            if (!length || s->got < end + 4 - s->in + atoi(length + 16)) continue;
        } else if (n > 0) continue;
        char *found = memmem(s->in, s->got, "5:peers", 7);
        if (n >= 0 && found && !strncmp(s->in, "HTTP/1.", 7)) answered++, given += atoi(found + 7) / 6;
        else failed++;
        if (times && found) times[timed++] = now() - s->due;
        if (n <= 0 || !keep) { close(s->fd); s->fd = -1; }
        return 1;
    }
}

static int order(const void *a, const void *b) { return *(float *)a < *(float *)b ? -1 : *(float *)a > *(float *)b; }
static double quantile(double share) { return timed ? 1e3 * times[(uint64_t)(share * (timed - 1))] : 0; }

int main(int argc, char **argv) {
    const char *mode = argc > 2 ? argv[1] : "";
    if (!strcmp(mode, "serve")) serve(atoi(argv[2]));
    if (argc < 7) { fprintf(stderr, "see the head of http_load.c\n"); return 2; }
    int pace = !strcmp(mode, "pace"), wide = atoi(argv[6]);
    double seconds = atof(argv[5]), start, end, first;
    keep = !strcmp(mode, "keep");
    peers = strtoull(argv[3], 0, 10) / SOURCES * SOURCES, swarms = strtoull(argv[4], 0, 10);
    to = at("127.0.0.1", atoi(argv[2]));
    for (int s = 0; s < SOURCES; s++) {
        char host[32];
        snprintf(host, sizeof host, "127.0.0.%d", 2 + s);
        from[s] = at(host, 0);
    }
    slots = calloc(SLOTS, sizeof *slots);
    for (int i = 0; i < SLOTS; i++) slots[i].fd = -1;
    start = now();
    if (pace) {
        double rate = wide;
        uint64_t sent = 0, all = rate * seconds;
        int flying = 0;
        static int live[SLOTS], idle[SLOTS], idles = SLOTS;
        for (int i = 0; i < SLOTS; i++) idle[i] = i;
        times = malloc(sizeof *times * (all + 1));
        for (double t = start; t < start + seconds + 1 && (sent < all || flying); t = now()) {
            for (; sent < all && t >= start + sent / rate && idles; sent++) {
                struct slot *s = &slots[live[flying] = idle[idles - 1]];
                s->due = start + sent / rate;
                begin(s);
                if (s->fd >= 0) flying++, idles--;
            }
            for (int i = 0; i < flying;)
                if (more(&slots[live[i]])) idle[idles++] = live[i], live[i] = live[--flying];
                else i++;
        }
        failed += flying;
        end = start + seconds;
    } else {
        if (wide > SLOTS) wide = SLOTS;
        for (int i = 0; i < wide; i++) begin(&slots[i]);
        for (int i = 0; now() < start + seconds; i = (i + 1) % wide) {
            struct slot *s = &slots[i];
            struct pollfd p = {s->fd, POLLIN, 0};
            while (s->fd >= 0 && !more(s))
                if (poll(&p, 1, PATIENCE) == 0) { failed++; close(s->fd); s->fd = -1; }
            begin(s);
        }
        end = now();
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1e-6 * (used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    if (times) qsort(times, timed, sizeof *times, order);
    first = answered ? 1e6 * cpu / answered : 0;
    printf("{\"seconds\": %.3f, \"answered\": %lu, \"failed\": %lu, \"rate\": %.0f, \"peers\": %.2f, \"cpu_us\": %.2f, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f}\n",
           end - start, answered, failed, answered / (end - start), answered ? (double)given / answered : 0, first,
           quantile(0.5), quantile(0.99), quantile(0.999));
    return 0;
}
