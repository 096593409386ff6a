/*
 * libvouchsafe: the client library of the Vouchsafe keystore. docs/protocol.md is what it speaks.
 *
 * This header includes all others; each subject has its own:
 *   core, client, keystore, encrypt, session, decrypt, log, evidence, operate, simulate;
 *   attest (evidence of every kind, offline), collateral (what vendors publish)
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

#include <vouchsafe/attest.h>
#include <vouchsafe/client.h>
#include <vouchsafe/collateral.h>
#include <vouchsafe/core.h>
#include <vouchsafe/decrypt.h>
#include <vouchsafe/encrypt.h>
#include <vouchsafe/evidence.h>
#include <vouchsafe/keystore.h>
#include <vouchsafe/log.h>
#include <vouchsafe/operate.h>
#include <vouchsafe/session.h>
#include <vouchsafe/simulate.h>

#endif
