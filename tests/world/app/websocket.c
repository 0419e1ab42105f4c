/* The app's WebSocket: RFC 6455 as far as an echo needs it. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "app.h"

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

/* SHA-1 of a short text: what the handshake wants. Up to 119 bytes. */
static void sha1(const char *text, unsigned char digest[20]) {
    unsigned char block[128] = {0};
    size_t length = strlen(text), blocks = length < 56 ? 1 : 2;
    memcpy(block, text, length);
    block[length] = 0x80;
    for (int i = 0; i < 4; i++) block[blocks * 64 - 1 - (size_t)i] = (unsigned char)(length * 8 >> (8 * i));
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    for (size_t at = 0; at < blocks * 64; at += 64) {
        uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 80; i++) {
            const unsigned char *p = block + at + 4 * i;
            if (i < 16) w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
            else w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
            uint32_t f = i < 20 ? ((b & c) | (~b & d)) + 0x5A827999
                       : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                       : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                : (b ^ c ^ d) + 0xCA62C1D6;
            uint32_t next = rotate(a, 5) + f + e + w[i];
            e = d; d = c; c = rotate(b, 30); b = a; a = next;
        }
        h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e;
    }
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const unsigned char *data, size_t length, char *text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        uint32_t n = (uint32_t)data[i] << 16;
        if (i + 1 < length) n |= (uint32_t)data[i + 1] << 8;
        if (i + 2 < length) n |= data[i + 2];
        *text++ = digits[n >> 18];
        *text++ = digits[n >> 12 & 63];
        *text++ = i + 1 < length ? digits[n >> 6 & 63] : '=';
        *text++ = i + 2 < length ? digits[n & 63] : '=';
    }
    *text = 0;
}

void websocket(int fd, const char *key, const char *rest, size_t used) {
    char buffer[16384], joined[120], accept[32], top[256];
    unsigned char digest[20];
    snprintf(joined, sizeof joined, "%.64s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1(joined, digest);
    base64(digest, sizeof digest, accept);
    snprintf(top, sizeof top, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    send_all(fd, top, strlen(top));
    memcpy(buffer, rest, used);
    for (;;) {
        /* One frame: two bytes, maybe two more of length, a mask of four, the payload. */
        unsigned char *frame = (unsigned char *)buffer;
        size_t header = 0, length = 0;
        if (used >= 2) {
            length = frame[1] & 0x7f;
            header = length == 126 ? 8 : 6;
            /* Longer or unmasked ones are not for us. */
            if (length == 127 || !(frame[1] & 0x80)) return;
        }
        if (header == 8 && used >= 4) length = (size_t)frame[2] << 8 | frame[3];
        if (header == 0 || used < header || used < header + length) {
            if (header + length > sizeof buffer) return;
            if (!wait_readable(fd)) {
                static const char going_away[] = {(char)0x88, 2, 0x03, (char)0xe9};
                send_all(fd, going_away, sizeof going_away);
                return;
            }
            ssize_t got = recv(fd, buffer + used, sizeof buffer - used, 0);
            if (got <= 0) return;
            used += (size_t)got;
            continue;
        }
        unsigned char *mask = frame + header - 4, *payload = frame + header;
        for (size_t i = 0; i < length; i++) payload[i] ^= mask[i % 4];
        int kind = frame[0] & 0x0f;
        if (kind != 0xa) {
            /* The same back, without a mask; a ping as a pong. */
            char answer[4] = {(char)(kind == 9 ? 0x8a : frame[0]), (char)length, 0, 0};
            size_t size = 2;
            if (header == 8) {
                answer[1] = 126;
                answer[2] = (char)(length >> 8);
                answer[3] = (char)length;
                size = 4;
            }
            send_all(fd, answer, size);
            send_all(fd, (char *)payload, length);
        }
        if (kind == 8) return;
        memmove(buffer, buffer + header + length, used - header - length);
        used -= header + length;
    }
}
