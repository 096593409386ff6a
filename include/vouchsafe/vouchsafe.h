/*
 * libvouchsafe: the client library of the Vouchsafe keystore. docs/protocol.md is what it speaks.
 *
 *   link with    pkg-config --cflags --libs vouchsafe
 *   examples     examples/encrypt.c, examples/worker.c, examples/verify_receipt.c
 *
 * Conventions
 * - Call vs_start() once per process before anything else. There is no other global state.
 * - A handle (vs_client, vs_session, ...) is for one thread at a time; different handles may be
 *   used by different threads.
 * - Every function that can fail returns enum vs_error and writes its `out` arguments on success
 *   only, unless it says otherwise. VS_ERR_ARGUMENT (a required argument is NULL or out of range)
 *   and VS_ERR_MEMORY are possible everywhere and are not listed again.
 * - What a function hands out through `struct X **out` or `struct vs_blob *out` is the caller's:
 *   release it with X_free() or vs_blob_clear(), which accept NULL and what was released already.
 *   Inputs are borrowed for the call only.
 * - Sizes are bytes, times are Unix seconds, keys and hashes are raw bytes, strings are UTF-8 and
 *   end with a zero byte. Buffers for results are the caller's, of the stated size.
 * - Private keys and plaintexts are held in guarded memory: locked, left out of core dumps, wiped.
 * - Functions that talk to the keystore block for at most the client's timeout per request.
 *
 * Who answered? Whoever stands between may answer in the keystore's place. Verify it once with
 * vs_keystore_verify(), name the result to vs_pubkey() and vs_attest(), and what they return is
 * proven to be the keystore's; so is each plaintext that vs_decrypt() opens with such a session.
 * Without that, whoever answers is believed.
 */
#ifndef VOUCHSAFE_VOUCHSAFE_H
#define VOUCHSAFE_VOUCHSAFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define VS_MUST_CHECK __attribute__((warn_unused_result))
#else
#define VS_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define VS_KEY_SIZE 32   /* X25519 and Ed25519 public keys */
#define VS_NONCE_SIZE 32 /* of the keystore's challenges */
#define VS_HASH_SIZE 32  /* SHA-256 */
#define VS_REPORT_DATA_SIZE 64
#define VS_QUOTE_MAX 65536
#define VS_SEED_MAX 1024 /* without the terminator */
#define VS_ENVELOPE_MAX (10u * 1024 * 1024)
#define VS_REQUEST_ID_SIZE 37 /* 36 characters and the terminator */
#define VS_ORIGIN_SIZE 129
#define VS_VKEY_SIZE 192
#define VS_TASK_ID_MAX 256

/* ------------------------------------------------------------------------------------ errors */

/* The numbers and the codes are stable; new ones are added at the end. */
enum vs_error {
    VS_OK = 0,
    VS_ERR_ARGUMENT = 1,    /* the call is wrong: NULL, out of range, contradictory */
    VS_ERR_MALFORMED = 2,   /* a local input does not have the required form */
    VS_ERR_TOO_LARGE = 3,   /* a local input exceeds a limit, or a buffer is too small */
    VS_ERR_UNSUPPORTED = 4, /* of a kind this library or this keystore does not know */
    VS_ERR_MEMORY = 5,      /* out of memory, or it could not be locked (see `ulimit -l`) */
    VS_ERR_IO = 6,          /* a local file cannot be read or written */
    VS_ERR_NOT_FOUND = 7,   /* no such file, member or entry */
    VS_ERR_EXISTS = 8,      /* would overwrite something */
    VS_ERR_UNREACHABLE = 9, /* no connection, TLS refused, or the connection broke */
    VS_ERR_TIMEOUT = 10,
    VS_ERR_REFUSED = 11,   /* the keystore refused; vs_last_reply() says why */
    VS_ERR_REPLY = 12,     /* the reply does not follow the protocol */
    VS_ERR_UNTRUSTED = 13, /* evidence or a signature does not verify */
    VS_ERR_POLICY = 14,    /* evidence is genuine, and the appraisal does not accept it */
    VS_ERR_DOWNGRADE = 15, /* a plain reply, or one that anybody could have sealed, came instead */
    VS_ERR_CRYPTO = 16,    /* does not decrypt: another key, another name, or changed */
    VS_ERR_TAMPERED = 17,  /* the log or receipt is not what its checkpoint says */
    VS_ERR_RESERVED = 18,  /* a secret has a reserved name */
    VS_ERR_EXPIRED = 19,   /* the session's time is over */
    VS_ERR_INTERNAL = 20
};

/* "unreachable", ...: stable, for programs. Never NULL. */
const char *vs_error_code(enum vs_error e);
/* One sentence without a full stop, for people. Never NULL. */
const char *vs_error_text(enum vs_error e);

/* Why something failed, as a sentence for people; "" when there is no more to say. */
struct vs_why {
    char text[512];
};

/* Must succeed once before any other function but those on errors. VS_ERR_CRYPTO */
VS_MUST_CHECK enum vs_error vs_start(void);
/* "0.1.0" */
const char *vs_version(void);

/* ------------------------------------------------------------------------------------- bytes */

/* Bytes somebody else owns; `data` may be NULL when `size` is 0. */
struct vs_bytes {
    const void *data;
    size_t size;
};

/* Public bytes handed to the caller; a zero byte that is not counted follows them. */
struct vs_blob {
    uint8_t *data;
    size_t size;
};
void vs_blob_clear(struct vs_blob *b); /* frees, sets to zero */

/* Secret bytes in guarded memory. */
struct vs_secret;
const uint8_t *vs_secret_data(const struct vs_secret *s); /* until vs_secret_free() */
size_t vs_secret_size(const struct vs_secret *s);
void vs_secret_free(struct vs_secret **s);
/* Reads a file descriptor to its end. VS_ERR_IO; VS_ERR_TOO_LARGE beyond `max` (at most 16 MiB) */
VS_MUST_CHECK enum vs_error vs_secret_read(int fd, size_t max, struct vs_secret **out);

/* Reads a file of public bytes. VS_ERR_NOT_FOUND, VS_ERR_IO, VS_ERR_TOO_LARGE */
VS_MUST_CHECK enum vs_error vs_file_read(const char *path, size_t max, struct vs_blob *out);

/*
 * The same for a file that decides what is trusted, such as a profile or a policy: a regular file
 * (or a link to one) of this user or of root, to which no other user can write.
 * VS_ERR_UNTRUSTED another user owns it or can write to it; `why` (may be NULL) says which.
 */
VS_MUST_CHECK enum vs_error vs_trusted_file_read(const char *path, size_t max, struct vs_blob *out,
                                                 struct vs_why *why);

/*
 * Whether a file may hold a credential (token, worker key, session): a regular file (or a link to
 * one) of this user or of root, which other users can neither read nor write. Its group may read it
 * when this process is in that group: 0440 and 0640, as in Kubernetes.
 * VS_ERR_NOT_FOUND, VS_ERR_IO; VS_ERR_MALFORMED it may not, and `why` (may be NULL) says why.
 */
VS_MUST_CHECK enum vs_error vs_credential_check(const char *path, struct vs_why *why);

/*
 * Writes a file so that it is either complete or not there: to a temporary file beside it, which is
 * then renamed. `mode` such as 0600. `replace`: may take the place of a file that is there.
 * VS_ERR_EXISTS, VS_ERR_IO
 */
VS_MUST_CHECK enum vs_error vs_file_write(const char *path, struct vs_bytes bytes, unsigned mode,
                                          bool replace);

/* SHA-256 of a file. VS_ERR_NOT_FOUND, VS_ERR_IO, VS_ERR_TOO_LARGE beyond 512 MiB */
VS_MUST_CHECK enum vs_error vs_file_sha256(const char *path, uint8_t out[VS_HASH_SIZE]);

/*
 * One value out of a JSON document, by path: "detail.expected", "entries.0.entry.code". Strings
 * come without quotes and escapes, everything else as JSON text; terminated. VS_ERR_MALFORMED not
 * JSON, VS_ERR_NOT_FOUND no such member, VS_ERR_TOO_LARGE
 */
VS_MUST_CHECK enum vs_error vs_json_get(struct vs_bytes json, const char *path, char *out,
                                        size_t out_size);

/* ------------------------------------------------------------------------------------ client */

struct vs_client;

/*
 * Gives the bearer token: writes it without a terminator to `out` (guarded memory, wiped after the
 * request) and sets `*size`. Called once for each request that needs one.
 */
typedef enum vs_error (*vs_token_function)(void *context, char *out, size_t capacity, size_t *size);

/* Zero-initialise, then set what is needed. */
struct vs_client_options {
    /* "http://127.0.0.1:8081", "https://host:port"; no path. Without TLS the token is readable
     * on the way: http is for the loopback and for networks that protect it otherwise */
    const char *url;
    const char *ca_file;        /* PEM; NULL: the system's */
    const uint8_t *spki_sha256; /* pin of the server's TLS key; replaces CA verification; or NULL */
    const char *token_file;     /* one line; read at each use, so that it may be rotated; or NULL */
    vs_token_function token;    /* used when there is no `token_file`; or NULL */
    void *token_context;
    unsigned timeout_ms; /* per request; 0: 30 s */
};

/* Does not connect yet. VS_ERR_ARGUMENT also for a URL that is not one. */
VS_MUST_CHECK enum vs_error vs_client_open(const struct vs_client_options *options,
                                           struct vs_client **out);
void vs_client_free(struct vs_client **c);

/* Why the last call on this client failed; borrowed until the next one; never NULL. */
const char *vs_client_why(const struct vs_client *c);

/* The last reply of the keystore; strings are never NULL ("" when absent) and are borrowed until
 * the next call on the client. Everything in it comes from the network. */
struct vs_reply {
    unsigned status; /* HTTP; 0 when there was no reply */
    unsigned retry_after_s;
    const char *request_id; /* give it to the operator: `vouchsafe explain` */
    const char *code;       /* stable code of a refusal, e.g. "measurement_mismatch" */
    const char *message;    /* of a refusal, for people */
    const char *detail;     /* of a refusal: JSON about the caller's own evidence */
};
void vs_last_reply(const struct vs_client *c, struct vs_reply *out);

/* -------------------------------------------------------------------------------- worker keys */

/* An X25519 key pair that evidence is bound to and replies are sealed to. */
struct vs_worker_key;
VS_MUST_CHECK enum vs_error vs_worker_key_generate(struct vs_worker_key **out);
/* VS_ERR_NOT_FOUND, VS_ERR_IO; VS_ERR_MALFORMED, also when others than the owner may read it */
VS_MUST_CHECK enum vs_error vs_worker_key_load(const char *path, struct vs_worker_key **out);
/* With mode 0600. VS_ERR_EXISTS: never overwrites; VS_ERR_IO */
VS_MUST_CHECK enum vs_error vs_worker_key_save(const struct vs_worker_key *key, const char *path);
void vs_worker_key_public(const struct vs_worker_key *key, uint8_t out[VS_KEY_SIZE]);
void vs_worker_key_free(struct vs_worker_key **key);

/* ------------------------------------------------------------------------- evidence, appraisal */

/* Bits of `accepted_statuses`. Revoked is never accepted and has no bit. */
#define VS_TCB_UP_TO_DATE 0x01u
#define VS_TCB_SW_HARDENING_NEEDED 0x02u
#define VS_TCB_CONFIGURATION_NEEDED 0x04u
#define VS_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED 0x08u
#define VS_TCB_OUT_OF_DATE 0x10u
#define VS_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED 0x20u
/* "UpToDate", "SWHardeningNeeded", ... in Intel's spelling. VS_ERR_MALFORMED */
VS_MUST_CHECK enum vs_error vs_tcb_status_parse(const char *name, unsigned *bit);

/*
 * Which genuine evidence is accepted. Zero-initialise. Name the code by `mr_enclave`, or by
 * `mr_signer` with product and least version; without either everything is refused. Debug enclaves
 * and revoked platforms are always refused. Judged by the same rules as a policy of the keystore
 * that says as much, with its defaults for what is not said here: CONFIGID zero, no attributes such
 * as PROVISIONKEY. One that can never be right is refused as "no_policy".
 */
struct vs_appraisal {
    struct vs_bytes mr_enclave; /* one or more accepted measurements, 32 bytes each */
    const uint8_t *mr_signer;   /* 32 bytes, or NULL */
    uint16_t isv_prod_id;
    uint16_t min_isv_svn;
    unsigned accepted_statuses;    /* VS_TCB_ bits; 0: UpToDate only */
    const char *const *advisories; /* tolerated when the status is not UpToDate */
    size_t advisory_count;
    uint32_t min_tcb_evaluation_number; /* of the TCB info and of the QE identity */
    /* How long a platform may be out of date, from the date of the next newer TCB level; goes with
     * VS_TCB_OUT_OF_DATE and VS_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED, and must then be given. */
    unsigned out_of_date_grace_days;
};

struct vs_evidence {
    struct vs_bytes quote;      /* as the platform gave it */
    struct vs_bytes collateral; /* a bundle in JSON (docs/protocol.md) */
    struct vs_bytes
        trust_root; /* empty: the vendors' roots; else PEM of a simulated root besides */
    int64_t at;     /* the time to judge by; 0: now */
    const uint8_t *report_data; /* what must be bound, 64 bytes; NULL: whatever is */
};

struct vs_claims {
    /* of a refusal; "ok" and "" otherwise */
    char code[48];
    char step[32];
    char expected[320];
    char presented[320];
    /* of verified evidence: written once every signature held, also when appraisal then refuses */
    char tee[16]; /* "sgx", "simulated" */
    bool simulated, debug;
    uint8_t mr_enclave[32], mr_signer[32];
    uint16_t isv_prod_id, isv_svn;
    uint8_t report_data[VS_REPORT_DATA_SIZE];
    char status[48];
    size_t advisory_count;
    char advisories[64][24];
    int64_t tcb_date, earliest_expiry;
    uint32_t tcb_evaluation_number;
    uint8_t fmspc[6];
    uint8_t digest[VS_HASH_SIZE]; /* names these claims in the log and in sessions */
};

/*
 * Verifies evidence, offline, and appraises it. Where `appraisal` is NULL, only debug builds and
 * platforms whose status is Revoked are refused (VS_ERR_POLICY): compare the measurement yourself.
 * VS_ERR_UNTRUSTED not genuine, or other report data; VS_ERR_POLICY not accepted; VS_ERR_MALFORMED
 * the trust root is no certificate. `claims` is always written.
 */
VS_MUST_CHECK enum vs_error vs_attest_verify(const struct vs_evidence *evidence,
                                             const struct vs_appraisal *appraisal,
                                             struct vs_claims *claims);

/*
 * SHA-512(domain 0x00 lv16(nonce) lv16(key) lv16(context)): what evidence must bind; domains are
 * "vouchsafe-session-v1", "vouchsafe-decrypt-v1", "vouchsafe-keystore-v1".
 */
VS_MUST_CHECK enum vs_error vs_report_data(const char *domain, struct vs_bytes nonce,
                                           struct vs_bytes key, struct vs_bytes context,
                                           uint8_t out[VS_REPORT_DATA_SIZE]);

/* ------------------------------------------------------------------------------- the keystore */

/* A keystore whose evidence was verified: what its signatures are checked with. */
struct vs_keystore {
    uint8_t identity_key[VS_KEY_SIZE]; /* Ed25519; signs public keys */
    uint8_t log_key[VS_KEY_SIZE];      /* Ed25519; signs checkpoints */
    char log_origin[VS_ORIGIN_SIZE];
    char log_vkey[VS_VKEY_SIZE]; /* the two above as C2SP vkey, for log and receipt checks */
    uint8_t session_key[64];     /* P-256 x || y; signs sessions */
    uint8_t tls_spki_sha256[VS_HASH_SIZE]; /* zero when the keystore does not end TLS itself */
    bool tls_bound; /* this client now speaks TLS with that key and no other */
    struct vs_claims claims;
};

/*
 * Fetches the keystore's evidence for a fresh nonce and verifies it. Where TLS is used and the
 * evidence names its key, that key is pinned in the client from here on.
 * `trust_root`: as in vs_evidence.
 * VS_ERR_UNTRUSTED, VS_ERR_POLICY (`out->claims` is written for both); VS_ERR_REFUSED with code
 * "no_evidence" when the keystore's machine cannot attest; VS_ERR_REPLY, VS_ERR_UNREACHABLE,
 * VS_ERR_TIMEOUT
 */
VS_MUST_CHECK enum vs_error vs_keystore_verify(struct vs_client *c,
                                               const struct vs_appraisal *appraisal,
                                               struct vs_bytes trust_root, struct vs_keystore *out);

/* Which key: a seed, or repo and owner and perhaps a branch; nothing at all: the global key. */
struct vs_key_name {
    const char *seed;
    const char *repo, *owner, *branch;
};
/* The seed as the keystore will build it, terminated; "" for the global key.
 * VS_ERR_MALFORMED, VS_ERR_TOO_LARGE */
VS_MUST_CHECK enum vs_error vs_seed_build(const struct vs_key_name *name, char *out,
                                          size_t out_size);

struct vs_public_key {
    char seed[VS_SEED_MAX + 1];
    uint8_t key[VS_KEY_SIZE]; /* X25519 */
    uint32_t version;
    bool verified; /* signed by an identity key that evidence vouched for */
};

/*
 * Fetches a public key. With `keystore` its signature over our nonce, the seed, the version and the
 * key must verify; with NULL whoever answered is believed.
 * VS_ERR_UNTRUSTED, VS_ERR_REPLY, VS_ERR_REFUSED, VS_ERR_UNREACHABLE, VS_ERR_TIMEOUT;
 * VS_ERR_MALFORMED the name
 */
VS_MUST_CHECK enum vs_error vs_pubkey(struct vs_client *c, const struct vs_keystore *keystore,
                                      const struct vs_key_name *name, struct vs_public_key *out);

/* ----------------------------------------------------------------------------------- encrypt */

enum vs_format {
    VS_FORMAT_HPKE = 2, /* RFC 9180; binds seed and version; the one to use */
    VS_FORMAT_ECIES = 1 /* for OutLayer's readers */
};
#define VS_ENVELOPE_OVERHEAD 61 /* the larger of the two, bytes */

/*
 * Encrypts to a key, offline. `out` should have room for plain.size + VS_ENVELOPE_OVERHEAD.
 * VS_ERR_TOO_LARGE beyond VS_ENVELOPE_MAX or `capacity`; VS_ERR_UNSUPPORTED the format;
 * VS_ERR_CRYPTO not a usable public key
 */
VS_MUST_CHECK enum vs_error vs_encrypt(const struct vs_public_key *to, enum vs_format format,
                                       struct vs_bytes plain, uint8_t *out, size_t capacity,
                                       size_t *size);

/*
 * Whether a document is what OutLayer's workers take as secrets: a JSON object whose values are all
 * strings, without reserved or PROTECTED_ names.
 * VS_ERR_MALFORMED, VS_ERR_RESERVED; `why` (may be NULL) names the member, never a value
 */
VS_MUST_CHECK enum vs_error vs_secrets_check(struct vs_bytes json, struct vs_why *why);

/* ---------------------------------------------------------------------------------- sessions */

/*
 * Where a worker's evidence comes from. `quote` writes a quote over `report_data` to `out` and sets
 * `*size`; what it returns other than VS_OK is handed on.
 */
struct vs_quote_source {
    const char *tee_type; /* "sgx", "simulated" */
    enum vs_error (*quote)(void *context, const uint8_t report_data[VS_REPORT_DATA_SIZE],
                           uint8_t *out, size_t capacity, size_t *size);
    void *context;
};

/*
 * A source that runs a program without a shell as `PROGRAM REPORT-DATA-HEX`. The program writes the
 * quote to its standard output and ends with exit code 0. It and all children of its process group
 * are killed when it ends or after `timeout_ms`. `why` says what the program did when a quote
 * failed; vs_client_why() says it, too. The struct is borrowed as long as the source is used.
 */
struct vs_command_source { /* zero-initialise */
    const char *program;
    const char *tee_type; /* NULL: "sgx" */
    unsigned timeout_ms;  /* 0: 30 s */
    struct vs_why why;
};
struct vs_quote_source vs_command_quote_source(struct vs_command_source *source);

/* A nonce of the keystore's for one attestation. For callers who do the rest themselves. */
VS_MUST_CHECK enum vs_error vs_challenge(struct vs_client *c, uint8_t nonce[VS_NONCE_SIZE],
                                         unsigned *expires_in_s);

/* What a worker holds after attesting; goes with the same token and the same worker key. */
struct vs_session;

/*
 * Challenge, quote, attest. With `keystore` the session must be signed by its identity key, for
 * this challenge; then nobody in between can have made it, nor a reply to it. With NULL whoever
 * answered is believed.
 * VS_ERR_REFUSED (evidence refused: see vs_last_reply), VS_ERR_UNTRUSTED (the signature),
 * VS_ERR_CRYPTO (the session's reply key does not open with `key`), VS_ERR_REPLY,
 * VS_ERR_UNREACHABLE, VS_ERR_TIMEOUT, and what the source returns
 */
VS_MUST_CHECK enum vs_error vs_attest(struct vs_client *c, const struct vs_keystore *keystore,
                                      const struct vs_worker_key *key,
                                      const struct vs_quote_source *source,
                                      struct vs_session **out);

struct vs_session_info { /* strings are borrowed from the session */
    const char *token;   /* the JWT: a credential */
    int64_t expires_at;
    const char *tee, *policy, *status;
    const char *advisories; /* JSON array */
    uint8_t claims[VS_HASH_SIZE];
    uint8_t key[VS_KEY_SIZE];          /* the worker key it is bound to */
    bool verified;                     /* a verified keystore signed it ... */
    uint8_t identity_key[VS_KEY_SIZE]; /* ... with this key; else zero */
};
void vs_session_info(const struct vs_session *s, struct vs_session_info *out);

/* A file of mode 0600, replaced as a whole. It holds the key of the session's replies, too.
 * VS_ERR_IO */
VS_MUST_CHECK enum vs_error vs_session_save(const struct vs_session *s, const char *path);
/* VS_ERR_NOT_FOUND, VS_ERR_IO, VS_ERR_MALFORMED (also when others may read it); VS_ERR_EXPIRED */
VS_MUST_CHECK enum vs_error vs_session_load(const char *path, struct vs_session **out);
void vs_session_free(struct vs_session **s);

/* ----------------------------------------------------------------------------------- decrypt */

/* Zero-initialise. Exactly one of `session` and `inline_evidence`. */
struct vs_decrypt_request {
    const struct vs_key_name *name;
    struct vs_bytes envelope;
    const struct vs_worker_key *key;               /* its public half is what evidence binds */
    const struct vs_session *session;              /* from vs_attest() with the same key */
    const struct vs_quote_source *inline_evidence; /* evidence in the request itself */
    const char *task_id;                           /* goes into the log; or NULL */
    bool accept_plain;    /* do not ask for a sealed reply, and take a plain one */
    bool receipt;         /* ask for the log's receipt */
    const char *log_vkey; /* the receipt must verify with this key; NULL: only what it says is
                           * checked, and vs_receipt_verify() does the rest */
};

/*
 * Has an envelope opened.
 *
 * With a session the reply must be sealed with the session's reply key for this very request, body
 * and id; so it was made by the keystore that the session is of. With inline evidence the reply is
 * sealed to the worker key, which proves that no one else can read it, but not who made it:
 * anybody can seal to a public key. Believe it only over TLS pinned to a verified keystore
 * (vs_keystore.tls_bound). The same goes for what `accept_plain` lets in.
 *
 * `receipt` (may be NULL) gets the receipt's JSON when one was asked for. The plaintext is handed
 * out only if that receipt is of an allowed "open", of this request, for the key and the task that
 * were asked for.
 *
 * VS_ERR_REFUSED, VS_ERR_DOWNGRADE, VS_ERR_REPLY, VS_ERR_CRYPTO (the sealed reply does not open),
 * VS_ERR_MALFORMED (the name, or `log_vkey`), VS_ERR_TAMPERED (the receipt is of something else, or
 * its proof fails), VS_ERR_UNTRUSTED (not signed by `log_vkey`), VS_ERR_EXPIRED (the session, by
 * our clock; attest again), VS_ERR_UNREACHABLE, VS_ERR_TIMEOUT
 */
VS_MUST_CHECK enum vs_error vs_decrypt(struct vs_client *c, const struct vs_decrypt_request *r,
                                       struct vs_secret **plain, struct vs_blob *receipt);

/* --------------------------------------------------------------------------------- the log */

/* The signed checkpoint as it is. Keep it: a later log must contain it. Not verified here. */
VS_MUST_CHECK enum vs_error vs_log_checkpoint(struct vs_client *c, struct vs_blob *note);
/* The log's key as whoever answers states it; vs_keystore_verify() gives one that is proven. */
VS_MUST_CHECK enum vs_error vs_log_vkey(struct vs_client *c, char out[VS_VKEY_SIZE]);
/* The receipt of a request. VS_ERR_REFUSED "not_found" also for one of another token's */
VS_MUST_CHECK enum vs_error vs_log_receipt(struct vs_client *c, const char *request_id,
                                           struct vs_blob *receipt);

/* Receives a piece of a stream. Anything but VS_OK ends it and is handed on. */
typedef enum vs_error (*vs_write_function)(void *context, struct vs_bytes piece);

/* The entries from..to-1, a line each, in pieces of whole lines. Needs an auditor's token. */
VS_MUST_CHECK enum vs_error vs_log_export(struct vs_client *c, uint64_t from, uint64_t to,
                                          vs_write_function write, void *context);

/*
 * Fetches the proof that the log of one checkpoint begins with the log of an older one, and checks
 * it with both signatures. VS_ERR_TAMPERED, VS_ERR_UNTRUSTED, VS_ERR_MALFORMED
 */
VS_MUST_CHECK enum vs_error vs_log_consistency(struct vs_client *c, const char *vkey,
                                               struct vs_bytes older, struct vs_bytes newer);

/* The size a checkpoint states. VS_ERR_MALFORMED; VS_ERR_UNTRUSTED not signed by this key */
VS_MUST_CHECK enum vs_error vs_checkpoint_verify(struct vs_bytes note, const char *vkey,
                                                 uint64_t *size, uint8_t root[VS_HASH_SIZE]);

struct vs_receipt_info {
    uint64_t index;
    char request_id[VS_REQUEST_ID_SIZE];
    char op[64], decision[8], code[64];
    char key[VS_SEED_MAX + 1];  /* the seed; "" for the global key and where there is none */
    char task[VS_SEED_MAX + 1]; /* "" when there is none */
    int64_t time;
    char entry[8193]; /* the line itself, terminated */
};
/*
 * Checks a receipt, offline: the checkpoint is signed by `vkey`, and its tree holds the entry.
 * `request_id` is what the entry must be about, or NULL.
 * VS_ERR_MALFORMED, VS_ERR_UNTRUSTED (signature), VS_ERR_TAMPERED (the proof, or another request)
 */
VS_MUST_CHECK enum vs_error vs_receipt_verify(struct vs_bytes receipt, const char *vkey,
                                              const char *request_id, struct vs_receipt_info *out,
                                              struct vs_why *why);

/*
 * Verifies an exported log, offline and in a stream: memory does not grow with it. Order of calls:
 * new, keep (any number), add (until the end), finish, free.
 */
struct vs_log_verifier;
/* VS_ERR_MALFORMED, VS_ERR_UNTRUSTED: the checkpoint */
VS_MUST_CHECK enum vs_error vs_log_verifier_new(struct vs_bytes checkpoint, const char *vkey,
                                                struct vs_log_verifier **out);
#define VS_LOG_KEPT_MAX 256
/* A checkpoint kept from earlier; the log must contain it. Before the first add.
 * VS_ERR_MALFORMED, VS_ERR_UNTRUSTED, VS_ERR_TOO_LARGE (VS_LOG_KEPT_MAX) */
VS_MUST_CHECK enum vs_error vs_log_verifier_keep(struct vs_log_verifier *v, struct vs_bytes note);
/* The next bytes of the export, cut anywhere. Faults are found at finish. */
VS_MUST_CHECK enum vs_error vs_log_verifier_add(struct vs_log_verifier *v, struct vs_bytes bytes);

enum vs_log_fault {
    VS_LOG_OK = 0,
    VS_LOG_MALFORMED = 1,   /* a line is no entry, or longer than one can be */
    VS_LOG_CHANGED = 2,     /* entries were edited, removed, inserted or put in another order */
    VS_LOG_MISSING = 3,     /* the export ends before the checkpoint's size */
    VS_LOG_UNCOVERED = 4,   /* the export goes on beyond the checkpoint */
    VS_LOG_ROLLED_BACK = 5, /* the checkpoint is older than one that was kept */
    VS_LOG_FORKED = 6       /* two signed checkpoints of one size have different roots */
};
struct vs_log_report {
    enum vs_log_fault fault;
    uint64_t entries; /* lines read */
    uint64_t size;    /* of the checkpoint */
    uint64_t intact;  /* so many first entries are proven unchanged */
    uint64_t first;   /* the first entry that may be at fault ... */
    uint64_t last;    /* ... and the last one it may be; equal when it is known exactly */
    bool has_suspect; /* `suspect` is the first entry in that range that is out of time order */
    uint64_t suspect;
};
/*
 * VS_ERR_TAMPERED when anything is wrong; `report` is written then too, `why` (may be NULL) says it
 * in a sentence.
 */
VS_MUST_CHECK enum vs_error
vs_log_verifier_finish(struct vs_log_verifier *v, struct vs_log_report *report, struct vs_why *why);
void vs_log_verifier_free(struct vs_log_verifier **v);

/* --------------------------------------------------------------------------------- operators */

/* JSON as docs/protocol.md describes it; both need an operator's token. */
VS_MUST_CHECK enum vs_error vs_explain(struct vs_client *c, const char *request_id,
                                       struct vs_blob *json);
VS_MUST_CHECK enum vs_error vs_status(struct vs_client *c, struct vs_blob *json);

/*
 * A dry run: what the keystore makes of evidence, and which of its policies accept it; without any
 * effect but an entry in the log. Needs a token that may attest. `json` is the reply of
 * POST /v1/attest/explain (docs/openapi.yaml): "accepted", "reason", "rules", ...
 * VS_ERR_REFUSED, also with code "policy_not_found"; evidence that is refused is VS_OK
 */
struct vs_dry_run { /* zero-initialise */
    const char *tee_type;
    struct vs_bytes quote;        /* raw: quote, report or document */
    struct vs_bytes certificates; /* SNP; or empty */
    struct vs_bytes event_log;    /* TDX: JSON array; or empty */
    const char *policy;           /* only this one; NULL: all */
    const uint8_t *nonce, *key;   /* what should be bound; both or neither */
};
VS_MUST_CHECK enum vs_error vs_explain_evidence(struct vs_client *c, const struct vs_dry_run *run,
                                                struct vs_blob *json);

/*
 * The policies of the keystore, with the reference values that were added while it ran: the reply
 * of GET /v1/policies (docs/openapi.yaml). Needs an operator's token.
 */
VS_MUST_CHECK enum vs_error vs_policies(struct vs_client *c, struct vs_blob *json);

/*
 * Adds a reference value (hex) to a list that a policy has, such as "mrenclave", or removes one
 * that was added so. It takes effect, and stands in the log, before the call returns; all sessions
 * end. Needs an operator's token with the setting may_administer. `json` is
 * {"index":..,"policy_version":..}: the log's entry, and the policy's new version.
 * VS_ERR_REFUSED, with the reply's code: "value_exists", "value_not_found", ...
 */
VS_MUST_CHECK enum vs_error vs_reference_value_add(struct vs_client *c, const char *policy,
                                                   const char *field, const char *hex,
                                                   struct vs_blob *json);
VS_MUST_CHECK enum vs_error vs_reference_value_remove(struct vs_client *c, const char *policy,
                                                      const char *field, const char *hex,
                                                      struct vs_blob *json);

/* A fresh bearer token, 32 random bytes in hex, and what the configuration holds of it. */
struct vs_token {
    char text[65];
    char sha256[65];
};
VS_MUST_CHECK enum vs_error vs_token_make(struct vs_token *out);
void vs_token_wipe(struct vs_token *t);

/* ------------------------------------------------------------------------ simulated platform */

/*
 * Genuine SGX DCAP evidence under a local root that is worth nothing elsewhere: for tests and
 * rehearsals. A platform is a directory; its root_ca.pem is the trust root to configure.
 */
struct vs_sim;
/* VS_ERR_EXISTS, VS_ERR_IO */
VS_MUST_CHECK enum vs_error vs_sim_create(const char *dir);
/* VS_ERR_NOT_FOUND, VS_ERR_IO, VS_ERR_MALFORMED */
VS_MUST_CHECK enum vs_error vs_sim_open(const char *dir, struct vs_sim **out);
void vs_sim_free(struct vs_sim **sim);
struct vs_bytes vs_sim_root(const struct vs_sim *sim); /* PEM, borrowed from the platform */

struct vs_sim_enclave { /* what the pretended enclave is */
    uint8_t mr_enclave[32], mr_signer[32];
    uint16_t isv_prod_id, isv_svn;
    bool debug;
};
VS_MUST_CHECK enum vs_error vs_sim_quote(const struct vs_sim *sim,
                                         const struct vs_sim_enclave *enclave,
                                         const uint8_t report_data[VS_REPORT_DATA_SIZE],
                                         struct vs_blob *quote);

struct vs_sim_collateral {   /* zero-initialise for current and good collateral */
    const char *tcb_status;  /* NULL: "UpToDate" */
    const char *advisory;    /* NULL: none; else "INTEL-SA-00615" */
    int64_t issued_before_s; /* issued this long ago */
    int64_t lifetime_s;      /* 0: 30 days */
    bool revoke_pck;         /* the CRL lists the platform's own certificate */
};
/* A bundle in JSON, valid from now. VS_ERR_MALFORMED for an unknown status */
VS_MUST_CHECK enum vs_error vs_sim_collateral(const struct vs_sim *sim,
                                              const struct vs_sim_collateral *how,
                                              struct vs_blob *bundle);

/* A quote source over a platform; both are borrowed as long as the source is used. */
struct vs_sim_source {
    const struct vs_sim *sim;
    struct vs_sim_enclave enclave;
};
struct vs_quote_source vs_sim_quote_source(struct vs_sim_source *source);

#ifdef __cplusplus
}
#endif
#endif
