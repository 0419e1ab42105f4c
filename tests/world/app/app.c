/*
 * The app of the test world: a small static HTTP server that does as its environment says.
 *
 *   /              version and host name, also in the headers X-Version and X-Hostname
 *   /healthz       200, or 503 while the file /tmp/sick exists, HEALTHY_AFTER seconds have not passed, or SICK_AFTER have
 *   /slow?s=1.5    answers after that many seconds
 *   /ws            a WebSocket that sends back what it gets
 *   /fetch?u=http://api:8080/    what another service answers; 502 and why when it does not (names from /etc/hosts only)
 *   /head          the request's header lines; before them `peer ADDRESS` where PROXY_PROTOCOL tells it
 *   /env           the environment, one NAME=VALUE a line
 *   /file?p=/path  the first 64 KiB of a file (mounted configs, secrets, volumes)
 *   POST /sick, POST /well    make and remove /tmp/sick
 *
 *   PORT 8080 · VERSION · HEALTHY_AFTER seconds (negative: never) · SICK_AFTER seconds · EXIT_AFTER seconds and EXIT_CODE
 *   ERROR_RATE 0 to 1: so many answers of `/` are a 500
 *   PROXY_PROTOCOL=1: every connection begins with a header of that protocol, version 2; one without is closed
 *   TERM_DELAY seconds that it goes on serving after SIGTERM · IGNORE_TERM=1 no SIGTERM ends it
 *   LOG_EVERY seconds, LOG_LINE text: a line on stdout now and then
 *
 * On SIGTERM it takes no new connection, answers what it was asked, closes connections that are idle, and leaves.
 * `app healthcheck` asks the server beside it and exits 0 or 1. `app` alone serves.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "app.h"

#define BODY_MAX 65536

extern char **environ;
static const char *version = "0";
static char hostname[256] = "?";
static double started, healthy_after, sick_after, error_rate, term_delay;
static volatile sig_atomic_t exit_code, terminated;
/* Nothing is ever written into it: its other end is closed when the app shall stop, which all that wait then see. */
static int stop_pipe[2];
static atomic_int connections;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double number(const char *name, double otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtod(text, NULL) : otherwise;
}

static void pause_for(double seconds) {
    if (seconds <= 0) return;
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&t, &t) && errno == EINTR) {}
}

static void alarm_in(double seconds) {
    struct itimerval timer = {{0, 0}, {(time_t)seconds, (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)}};
    if (timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0) timer.it_value.tv_usec = 1;
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void stop(void) {
    static volatile sig_atomic_t stopped;
    if (!stopped) close(stop_pipe[1]);
    stopped = 1;
}

static void on_alarm(int signal) {
    (void)signal;
    if (terminated) stop();
    else _exit(exit_code);
}

static void on_term(int signal) {
    (void)signal;
    if (terminated) return;
    terminated = 1;
    exit_code = 0;
    static const char line[] = "stopping\n";
    ssize_t ignored = write(1, line, sizeof line - 1);
    (void)ignored;
    if (term_delay > 0) alarm_in(term_delay);
    else stop();
}

void send_all(int fd, const char *data, size_t length) {
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return;
        data += sent;
        length -= (size_t)sent;
    }
}

int wait_readable(int fd) {
    struct pollfd either[2] = {{fd, POLLIN, 0}, {stop_pipe[0], 0, 0}};
    while (poll(either, 2, -1) < 0 && errno == EINTR) {}
    return either[0].revents != 0;
}

static int is_stopping(void) {
    struct pollfd stop = {stop_pipe[0], 0, 0};
    return poll(&stop, 1, 0) > 0;
}

static void answer(int fd, const char *status, const char *body, size_t length, int keep, int head) {
    char top[1024];
    int size = snprintf(top, sizeof top,
                        "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nX-Version: %s\r\n"
                        "X-Hostname: %s\r\nConnection: %s\r\n\r\n",
                        status, length, version, hostname, keep ? "keep-alive" : "close");
    if (size < 0 || (size_t)size >= sizeof top) return;
    if (!head && length < sizeof top - (size_t)size) {   /* the usual short one, in one packet */
        memcpy(top + size, body, length);
        send_all(fd, top, (size_t)size + length);
        return;
    }
    send_all(fd, top, (size_t)size);
    if (!head) send_all(fd, body, length);
}

static int is_healthy(void) {
    if (access("/tmp/sick", F_OK) == 0) return 0;
    double age = now() - started;
    return healthy_after >= 0 && age >= healthy_after && !(sick_after > 0 && age >= sick_after);
}

static size_t put(char *body, size_t used, const char *text) {
    size_t length = strlen(text);
    if (used + length + 1 >= BODY_MAX) return used;
    memcpy(body + used, text, length);
    body[used + length] = '\n';
    return used + length + 1;
}

/* The address of a URL's host and port, and its path. Names are looked up in /etc/hosts alone. */
static const char *resolve(const char *url, struct sockaddr_in *address, char path[1024]) {
    char host[256], line[512];
    unsigned short port = 80;
    path[0] = '/', path[1] = 0;
    if (sscanf(url, "http://%255[^:/]:%hu%1023s", host, &port, path) < 2 && sscanf(url, "http://%255[^:/]%1023s", host, path) < 1)
        return "not a URL like http://api:8080/";
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address->sin_addr) == 1) return NULL;
    FILE *hosts = fopen("/etc/hosts", "r");
    int found = 0;
    while (hosts && !found && fgets(line, sizeof line, hosts)) {
        char *rest = NULL, *number = strtok_r(line, " \t\r\n", &rest), *name;
        while (number && (name = strtok_r(NULL, " \t\r\n", &rest)))
            if (strcmp(name, host) == 0 && inet_pton(AF_INET, number, &address->sin_addr) == 1) found = 1;
    }
    if (hosts) fclose(hosts);
    return found ? NULL : "no such name in /etc/hosts";
}

/* Asks another server. Its status line's rest is the answer, and its body; or NULL and why in body. */
static const char *fetch(const char *url, char *body, size_t *length, char status[64]) {
    struct sockaddr_in address;
    struct timeval patience = {20, 0};
    char path[1024], request[2048];
    const char *why = resolve(url, &address, path);
    int fd = why ? -1 : socket(AF_INET, SOCK_STREAM, 0);
    if (!why) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) why = strerror(errno);
    }
    size_t used = 0;
    if (!why) {
        int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: fetch\r\nConnection: close\r\n\r\n", path);
        send_all(fd, request, (size_t)size);
        while (used + 1 < BODY_MAX) {
            ssize_t got = recv(fd, body + used, BODY_MAX - used - 1, 0);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) why = strerror(errno);
            if (got <= 0) break;
            used += (size_t)got;
        }
        body[used] = 0;
    }
    if (fd >= 0) close(fd);
    char *end = why ? NULL : strstr(body, "\r\n\r\n");
    if (!why && (!end || sscanf(body, "HTTP/1.%*c %63[^\r]", status) != 1)) why = "closed without an answer";
    if (why) {
        *length = (size_t)snprintf(body, BODY_MAX, "%s: %s\n", url, why);
        return "502 Bad Gateway";
    }
    *length = used - (size_t)(end + 4 - body);
    memmove(body, end + 4, *length);
    return status;
}

/* One request: method, target and header lines are strings of their own. Tells whether the connection goes on. */
static int respond(int fd, const char *method, char *target, const char *lines, const char *peer, int keep) {
    int head = strcmp(method, "HEAD") == 0;
    char *query = strchr(target, '?');
    if (query) *query++ = 0;
    char *body = malloc(BODY_MAX), other[64];
    if (!body) return 0;
    const char *status = "200 OK";
    size_t length = 0;
    if (strcmp(target, "/") == 0) {
        static atomic_uint asked;
        /* Spread evenly: the part of all answers so far that were errors is never far from the rate. */
        unsigned n = atomic_fetch_add(&asked, 1);
        if ((unsigned)((n + 1) * error_rate) > (unsigned)(n * error_rate)) status = "500 Internal Server Error";
        length = (size_t)snprintf(body, BODY_MAX, "app %s on %s\n", version, hostname);
    } else if (strcmp(target, "/healthz") == 0) {
        int healthy = is_healthy();
        if (!healthy) status = "503 Service Unavailable";
        length = put(body, 0, healthy ? "ok" : "sick");
    } else if (strcmp(target, "/slow") == 0) {
        pause_for(query && strncmp(query, "s=", 2) == 0 ? strtod(query + 2, NULL) : 1);
        length = (size_t)snprintf(body, BODY_MAX, "app %s on %s\n", version, hostname);
    } else if (strcmp(target, "/fetch") == 0 && query && strncmp(query, "u=", 2) == 0) {
        status = fetch(query + 2, body, &length, other);
    } else if (strcmp(target, "/head") == 0) {
        if (*peer) length = (size_t)snprintf(body, BODY_MAX, "peer %s\n", peer);
        length = put(body, length, lines);
    } else if (strcmp(target, "/env") == 0) {
        for (char **entry = environ; *entry; entry++) length = put(body, length, *entry);
    } else if (strcmp(target, "/file") == 0 && query && strncmp(query, "p=", 2) == 0) {
        FILE *file = fopen(query + 2, "rb");
        if (file) {
            length = fread(body, 1, BODY_MAX, file);
            fclose(file);
        } else {
            status = "404 Not Found";
            length = put(body, 0, strerror(errno));
        }
    } else if (strcmp(method, "POST") == 0 && strcmp(target, "/sick") == 0) {
        FILE *file = fopen("/tmp/sick", "wb");
        if (file) fclose(file);
        else status = "500 Internal Server Error";
    } else if (strcmp(method, "POST") == 0 && strcmp(target, "/well") == 0) {
        unlink("/tmp/sick");
    } else {
        status = "404 Not Found";
        length = put(body, 0, "no such page");
    }
    if (is_stopping()) keep = 0;
    answer(fd, status, body, length, keep, head);
    free(body);
    return keep;
}

static int receive(int fd, void *into, size_t length) {
    for (size_t used = 0; used < length;) {
        if (!wait_readable(fd)) return 0;
        ssize_t got = recv(fd, (char *)into + used, length - used, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return 0;
        used += (size_t)got;
    }
    return 1;
}

/* Reads the header of the PROXY protocol, version 2: who the client is behind the proxies (IPv4 only, else nothing). */
static int read_peer(int fd, char *peer) {
    unsigned char head[16], rest[512];
    if (!receive(fd, head, sizeof head) || memcmp(head, "\r\n\r\n\0\r\nQUIT\n", 12) != 0) return 0;
    size_t length = (size_t)head[14] << 8 | head[15];
    if (length > sizeof rest || !receive(fd, rest, length)) return 0;
    if (head[12] == 0x21 && head[13] == 0x11 && length >= 12) inet_ntop(AF_INET, rest, peer, INET_ADDRSTRLEN);
    return 1;
}

static void *serve(void *argument) {
    int fd = (int)(long)argument;
    char buffer[16384], peer[INET_ADDRSTRLEN] = "";
    size_t used = 0;
    if (getenv("PROXY_PROTOCOL") && !read_peer(fd, peer)) goto done;
    for (;;) {
        char *end;
        buffer[used] = 0;
        while (!(end = strstr(buffer, "\r\n\r\n"))) {
            if (used + 1 >= sizeof buffer || !wait_readable(fd)) goto done;
            ssize_t got = recv(fd, buffer + used, sizeof buffer - used - 1, 0);
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) goto done;
            used += (size_t)got;
            buffer[used] = 0;
        }
        *end = 0;
        size_t header = (size_t)(end - buffer) + 4, body = 0;
        char method[16], target[2048], protocol[16], key[65] = "";
        if (sscanf(buffer, "%15s %2047s %15s", method, target, protocol) != 3) goto done;
        int keep = strcmp(protocol, "HTTP/1.0") != 0;
        for (char *line = strstr(buffer, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
            if (strncasecmp(line + 2, "Connection:", 11) == 0) keep = strncasecmp(line + 13 + strspn(line + 13, " "), "close", 5) != 0;
            if (strncasecmp(line + 2, "Content-Length:", 15) == 0) body = strtoul(line + 17, NULL, 10);
            if (strncasecmp(line + 2, "Sec-WebSocket-Key:", 18) == 0) sscanf(line + 20, "%64s", key);
        }
        if (strcmp(target, "/ws") == 0 && *key) {
            websocket(fd, key, buffer + header, used - header);
            goto done;
        }
        const char *lines = strstr(buffer, "\r\n");
        keep = respond(fd, method, target, lines ? lines + 2 : "", peer, keep);
        if (!keep) goto done;
        /* The request's body is of no interest: drop it, keep what follows it. */
        while (used < header + body) {
            size_t have = used > header ? used - header : 0;
            body -= have;
            used = header;
            ssize_t got = recv(fd, buffer + header, sizeof buffer - header - 1, 0);
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) goto done;
            used += (size_t)got;
        }
        memmove(buffer, buffer + header + body, used - header - body);
        used -= header + body;
    }
done:
    /* What was sent is lost when a socket with unread bytes is closed. */
    shutdown(fd, SHUT_WR);
    while (recv(fd, buffer, sizeof buffer, MSG_DONTWAIT) > 0) {}
    close(fd);
    atomic_fetch_sub(&connections, 1);
    return NULL;
}

static void *chatter(void *argument) {
    (void)argument;
    const char *line = getenv("LOG_LINE");
    double every = number("LOG_EVERY", 1);
    for (unsigned long count = 1;; count++) {
        printf("%s %lu\n", line ? line : "tick", count);
        fflush(stdout);
        pause_for(every);
    }
    return NULL;
}

static int health_check(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)number("PORT", 8080))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval patience = {5, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        printf("cannot connect: %s\n", strerror(errno));
        return 1;
    }
    static const char request[] = "GET /healthz HTTP/1.0\r\n\r\n";
    if (getenv("PROXY_PROTOCOL")) send_all(fd, "\r\n\r\n\0\r\nQUIT\n\x20\0\0", 16);
    send_all(fd, request, sizeof request - 1);
    char reply[64] = "";
    ssize_t got = recv(fd, reply, sizeof reply - 1, 0);
    int healthy = got > 12 && strncmp(reply + 9, "200", 3) == 0;
    puts(healthy ? "ok" : "sick");
    return healthy ? 0 : 1;
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "healthcheck") == 0) return health_check();
    started = now();
    healthy_after = number("HEALTHY_AFTER", 0);
    sick_after = number("SICK_AFTER", 0);
    error_rate = number("ERROR_RATE", 0);
    term_delay = number("TERM_DELAY", 0);
    exit_code = (int)number("EXIT_CODE", 0);
    if (getenv("VERSION")) version = getenv("VERSION");
    gethostname(hostname, sizeof hostname - 1);

    /* As PID 1 it gets only the signals that it handles. */
    if (pipe(stop_pipe) != 0) return 1;
    struct sigaction action = {.sa_handler = on_term};
    if (number("IGNORE_TERM", 0) != 0) action.sa_handler = SIG_IGN;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);

    int port = (int)number("PORT", 8080), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0) {
        fprintf(stderr, "cannot listen on port %d: %s\n", port, strerror(errno));
        return 1;
    }
    printf("app %s on %s listens on port %d\n", version, hostname, port);
    fflush(stdout);
    if (getenv("EXIT_AFTER")) alarm_in(number("EXIT_AFTER", 0));

    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 * 1024);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    if (getenv("LOG_EVERY")) pthread_create(&thread, &small, chatter, NULL);
    /* What is in the queue when it is asked to stop is accepted still. */
    fcntl(listener, F_SETFL, O_NONBLOCK);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            if (errno == EAGAIN && !wait_readable(listener)) break;
            if (errno == EMFILE) pause_for(0.01);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        atomic_fetch_add(&connections, 1);
        if (pthread_create(&thread, &small, serve, (void *)(long)fd) != 0) {
            close(fd);
            atomic_fetch_sub(&connections, 1);
        }
    }
    close(listener);
    while (atomic_load(&connections) > 0) pause_for(0.005);
    return 0;
}
