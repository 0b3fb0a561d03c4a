/* Load on a UDP tracker (BEP 15) with batched system calls, and a responder that does next to nothing, whose rate is the
 * ceiling of this load.
 *
 *   udp_load echo PORT                                   answer connects and announces with fixed bytes, for ever
 *   udp_load fill  PORT PEERS SWARMS                     announce each peer once
 *   udp_load flood PORT PEERS SWARMS SECONDS IN_FLIGHT   announce random peers, as many as are answered
 *   udp_load share PORT PEERS SWARMS SECONDS IN_FLIGHT   the same, resting when there is nothing to do, for a core that has
 *                                                        other work
 *   udp_load pace  PORT PEERS SWARMS SECONDS RATE        announce random peers at a fixed rate
 *
 * Peer N comes from 127.0.0.(2 + N % SOURCES) with a port of its own and belongs to swarm N % SWARMS; every fourth of a
 * swarm is a seeder. Times of `pace` run from the moment a request was due, so a generator that falls behind shows. Prints
 * one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOURCES = 16, BATCH = 32, ANSWER = 320, ROOM = 2048, TABLE = 1 << 16 };

static uint64_t state = 88172645463325252ull;
static uint64_t chance(void) { state ^= state << 13; state ^= state >> 7; return state ^= state << 17; }
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }
static void die(const char *what) { perror(what); exit(2); }
static void put32(unsigned char *at, uint32_t v) { v = htonl(v); memcpy(at, &v, 4); }
static uint32_t get32(const unsigned char *at) { uint32_t v; memcpy(&v, at, 4); return ntohl(v); }

static int bound(const char *host, int port) {
    int s = socket(AF_INET, SOCK_DGRAM, 0), room = 4 << 20;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &a.sin_addr);
    setsockopt(s, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (s < 0 || bind(s, (void *)&a, sizeof a)) die("bind");
    return s;
}

static void echo(int port) {
    static unsigned char in[BATCH][ROOM], out[BATCH][ANSWER];
    struct sockaddr_in from[BATCH];
    struct iovec iin[BATCH], iout[BATCH];
    struct mmsghdr min[BATCH], mout[BATCH];
    int s = bound("127.0.0.1", port);
    memset(out, 7, sizeof out);
    for (int i = 0; i < BATCH; i++) {
        iin[i] = (struct iovec){in[i], ROOM};
        min[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &iin[i], .msg_iovlen = 1}};
        mout[i] = min[i];
        mout[i].msg_hdr.msg_iov = &iout[i];
    }
    for (;;) {
        int n = recvmmsg(s, min, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < n; i++) {
            uint32_t action = get32(in[i] + 8);
            put32(out[i], action);
            memcpy(out[i] + 4, in[i] + 12, 4);
            iout[i] = (struct iovec){out[i], action ? ANSWER : 16};
        }
        if (n > 0) sendmmsg(s, mout, n, 0);
    }
}

static int sockets[SOURCES];
static unsigned char ids[SOURCES][8], requests[BATCH][98], answers[BATCH][ROOM];
static struct iovec iout[BATCH], iin[BATCH];
static struct mmsghdr mout[BATCH], min[BATCH];
static double due[TABLE];
static float *times;
static uint64_t peers, swarms, timed, answered, failed, given, lost;

static void prepare(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    for (int s = 0; s < SOURCES; s++) {
        char host[32];
        unsigned char packet[16] = {0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80}, answer[64];
        struct pollfd p;
        int tries = 0;
        snprintf(host, sizeof host, "127.0.0.%d", 2 + s);
        sockets[s] = bound(host, 0);
        if (connect(sockets[s], (void *)&to, sizeof to)) die("connect");
        p = (struct pollfd){sockets[s], POLLIN, 0};
        do {  /* a tracker that is just starting may not listen yet */
            if (++tries > 100) { fprintf(stderr, "no answer to a connect\n"); exit(2); }
            send(sockets[s], packet, 16, 0);
        } while (poll(&p, 1, 100) <= 0 || recv(sockets[s], answer, sizeof answer, 0) < 16);
        memcpy(ids[s], answer + 8, 8);
    }
    for (int i = 0; i < BATCH; i++) {
        iout[i] = (struct iovec){requests[i], 98};
        iin[i] = (struct iovec){answers[i], ROOM};
        mout[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iout[i], .msg_iovlen = 1}};
        min[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iin[i], .msg_iovlen = 1}};
    }
}

static void request(unsigned char *r, uint64_t peer, uint32_t transaction) {
    uint64_t swarm = peer % swarms, in_swarm = peer / swarms, mixed = (swarm + 1) * 0x9E3779B97F4A7C15ull;
    memcpy(r, ids[peer % SOURCES], 8);
    put32(r + 8, 1);
    put32(r + 12, transaction);
    memset(r + 16, 0, 82);
    memcpy(r + 16, &mixed, 8);                                     /* info-hash */
    memcpy(r + 24, &swarm, 8);
    memcpy(r + 36, "-LD0001-", 8);                                 /* peer id */
    memcpy(r + 44, &peer, 8);
    put32(r + 68, in_swarm % 4 ? 1000 : 0);                        /* left */
    put32(r + 92, (uint32_t)50);                                   /* num_want */
    r[96] = (1024 + peer / SOURCES) >> 8;
    r[97] = (1024 + peer / SOURCES) & 255;
}

static int receive(int s) {
    int n = recvmmsg(sockets[s], min, BATCH, MSG_DONTWAIT, NULL);
    double t = times ? now() : 0;
    for (int i = 0; i < n; i++) {
        if (min[i].msg_len >= 20 && get32(answers[i]) == 1) {
            answered++;
            given += (min[i].msg_len - 20) / 6;
            if (times && due[get32(answers[i] + 4) % TABLE]) {
                times[timed++] = t - due[get32(answers[i] + 4) % TABLE];
                due[get32(answers[i] + 4) % TABLE] = 0;
            }
        } else failed++;
    }
    return n > 0 ? n : 0;
}

static int order(const void *a, const void *b) { return *(float *)a < *(float *)b ? -1 : *(float *)a > *(float *)b; }
static double at(double share) { return timed ? 1e3 * times[(uint64_t)(share * (timed - 1))] : 0; }

int main(int argc, char **argv) {
    const char *mode = argc > 2 ? argv[1] : "";
    if (!strcmp(mode, "echo")) echo(atoi(argv[2]));
    int fill = !strcmp(mode, "fill"), pace = !strcmp(mode, "pace"), share = !strcmp(mode, "share");
    if (argc < (fill ? 5 : 7)) { fprintf(stderr, "see the head of udp_load.c\n"); return 2; }
    peers = strtoull(argv[3], 0, 10) / SOURCES * SOURCES, swarms = strtoull(argv[4], 0, 10);
    double seconds = fill ? 1e9 : atof(argv[5]), start, end;
    uint64_t sent = 0, walked[SOURCES] = {0};
    prepare(atoi(argv[2]));
    if (pace) {
        double rate = atof(argv[6]);
        times = malloc(sizeof *times * (uint64_t)(rate * seconds + 1));
        start = now();
        for (;;) {
            double t = now();
            for (; t >= start + sent / rate && sent < (uint64_t)(rate * seconds); sent++) {
                uint64_t peer = chance() % peers;
                due[sent % TABLE] = start + sent / rate;
                request(requests[0], peer, sent % TABLE);
                if (send(sockets[peer % SOURCES], requests[0], 98, MSG_DONTWAIT) < 0) lost++;
            }
            for (int s = 0; s < SOURCES; s++) receive(s);
            if (t > start + seconds + 1) break;
        }
        end = start + seconds;
        lost = sent - timed;
    } else {
        int window = (fill ? 256 : atoi(argv[6])) / SOURCES, flight[SOURCES] = {0};
        double heard[SOURCES];
        start = now();
        for (int s = 0; s < SOURCES; s++) heard[s] = start;
        for (;;) {
            double t = now();
            int idle = 1, flying = 0;
            for (int s = 0; s < SOURCES; s++) {
                int n = receive(s), room, i;
                if (n) { flight[s] -= n; heard[s] = t; idle = 0; }
                if (flight[s] < 0) flight[s] = 0;                     /* an answer that was given up came after all */
                if (flight[s] && t - heard[s] > 0.5) { lost += flight[s]; flight[s] = 0; }
                room = t < start + seconds ? window - flight[s] : 0;
                if (room >= (window + 1) / 2) {
                    for (i = 0; i < room && i < BATCH; i++) {
                        uint64_t own = fill ? walked[s]++ : chance() % (peers / SOURCES);
                        if (own >= peers / SOURCES) break;
                        request(requests[i], s + SOURCES * own, sent + i);
                    }
                    n = i ? sendmmsg(sockets[s], mout, i, 0) : 0;
                    if (n > 0) { if (!flight[s]) heard[s] = t; flight[s] += n; sent += n; }
                }
                flying += flight[s];
            }
            if (!flying && (fill ? idle && walked[0] >= peers / SOURCES : t >= start + seconds)) break;
            if (idle && t > start + seconds + 2) break;
            if (idle && share) {
                struct pollfd waiting[SOURCES];
                for (int s = 0; s < SOURCES; s++) waiting[s] = (struct pollfd){sockets[s], POLLIN, 0};
                poll(waiting, SOURCES, 10);
            }
        }
        end = now();
        if (!fill) end = start + seconds;
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1e-6 * (used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    if (times) qsort(times, timed, sizeof *times, order);
    printf("{\"seconds\": %.3f, \"sent\": %lu, \"answered\": %lu, \"failed\": %lu, \"lost\": %lu, \"rate\": %.0f, \"peers\": %.2f, \"cpu_us\": %.2f, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f}\n",
           end - start, sent, answered, failed, lost, answered / (end - start), answered ? (double)given / answered : 0, answered ? 1e6 * cpu / answered : 0,
           at(0.5), at(0.99), at(0.999));
    return 0;
}
