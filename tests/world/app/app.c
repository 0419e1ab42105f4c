/*
 * The app of the test world: a small static HTTP server that does as its environment says.
 *
 *   /              version and host name, also in the headers X-Version and X-Hostname
 *   /healthz       200, or 503 while the file /tmp/sick exists or HEALTHY_AFTER seconds have not passed
 *   /slow?s=1.5    answers after that many seconds
 *   /env           the environment, one NAME=VALUE a line
 *   /file?p=/path  the first 64 KiB of a file (mounted configs, secrets, volumes)
 *   POST /sick, POST /well    make and remove /tmp/sick
 *
 *   PORT 8080 · VERSION · HEALTHY_AFTER seconds (negative: never) · EXIT_AFTER seconds and EXIT_CODE
 *   TERM_DELAY seconds that it goes on serving after SIGTERM (0: leaves at once)
 *   LOG_EVERY seconds, LOG_LINE text: a line on stdout now and then
 *
 * `app healthcheck` asks the server beside it and exits 0 or 1. `app` alone serves.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BODY_MAX 65536

extern char **environ;
static const char *version = "0";
static char hostname[256] = "?";
static double started, healthy_after, term_delay;
static volatile sig_atomic_t exit_code;

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

static void on_alarm(int signal) {
    (void)signal;
    _exit(exit_code);
}

static void on_term(int signal) {
    (void)signal;
    static const char line[] = "stopping\n";
    if (write(1, line, sizeof line - 1) < 0) _exit(0);
    if (term_delay <= 0) _exit(0);
    exit_code = 0;
    alarm_in(term_delay);
}

static void send_all(int fd, const char *data, size_t length) {
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return;
        data += sent;
        length -= (size_t)sent;
    }
}

static void answer(int fd, const char *status, const char *body, size_t length, int keep, int head) {
    char top[1024];
    int size = snprintf(top, sizeof top,
                        "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nX-Version: %s\r\n"
                        "X-Hostname: %s\r\nConnection: %s\r\n\r\n",
                        status, length, version, hostname, keep ? "keep-alive" : "close");
    if (size < 0 || (size_t)size >= sizeof top) return;
    send_all(fd, top, (size_t)size);
    if (!head) send_all(fd, body, length);
}

static int is_healthy(void) {
    if (access("/tmp/sick", F_OK) == 0) return 0;
    return healthy_after >= 0 && now() - started >= healthy_after;
}

static size_t put(char *body, size_t used, const char *text) {
    size_t length = strlen(text);
    if (used + length + 1 >= BODY_MAX) return used;
    memcpy(body + used, text, length);
    body[used + length] = '\n';
    return used + length + 1;
}

/* One request: method and target are strings of their own. */
static void respond(int fd, const char *method, char *target, int keep) {
    int head = strcmp(method, "HEAD") == 0;
    char *query = strchr(target, '?');
    if (query) *query++ = 0;
    char *body = calloc(1, BODY_MAX);
    if (!body) return;
    const char *status = "200 OK";
    size_t length = 0;
    if (strcmp(target, "/") == 0) {
        length = (size_t)snprintf(body, BODY_MAX, "app %s on %s\n", version, hostname);
    } else if (strcmp(target, "/healthz") == 0) {
        int healthy = is_healthy();
        if (!healthy) status = "503 Service Unavailable";
        length = put(body, 0, healthy ? "ok" : "sick");
    } else if (strcmp(target, "/slow") == 0) {
        pause_for(query && strncmp(query, "s=", 2) == 0 ? strtod(query + 2, NULL) : 1);
        length = (size_t)snprintf(body, BODY_MAX, "app %s on %s\n", version, hostname);
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
    answer(fd, status, body, length, keep, head);
    free(body);
}

static void *serve(void *argument) {
    int fd = (int)(long)argument;
    char buffer[16384];
    size_t used = 0;
    for (;;) {
        char *end;
        buffer[used] = 0;
        while (!(end = strstr(buffer, "\r\n\r\n"))) {
            if (used + 1 >= sizeof buffer) goto done;
            ssize_t got = recv(fd, buffer + used, sizeof buffer - used - 1, 0);
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) goto done;
            used += (size_t)got;
            buffer[used] = 0;
        }
        *end = 0;
        size_t header = (size_t)(end - buffer) + 4, body = 0;
        char method[16], target[2048], protocol[16];
        if (sscanf(buffer, "%15s %2047s %15s", method, target, protocol) != 3) goto done;
        int keep = strcmp(protocol, "HTTP/1.0") != 0;
        for (char *line = strstr(buffer, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
            if (strncasecmp(line + 2, "Connection:", 11) == 0) keep = strncasecmp(line + 13 + strspn(line + 13, " "), "close", 5) != 0;
            if (strncasecmp(line + 2, "Content-Length:", 15) == 0) body = strtoul(line + 17, NULL, 10);
        }
        respond(fd, method, target, keep);
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
    close(fd);
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
    term_delay = number("TERM_DELAY", 0);
    exit_code = (int)number("EXIT_CODE", 0);
    if (getenv("VERSION")) version = getenv("VERSION");
    gethostname(hostname, sizeof hostname - 1);

    /* As PID 1 it gets only the signals that it handles. */
    struct sigaction action = {.sa_handler = on_term};
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
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (pthread_create(&thread, &small, serve, (void *)(long)fd) != 0) close(fd);
    }
}
