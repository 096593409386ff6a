/*
 * libvouchsafe: the client library of the Vouchsafe keystore. docs/protocol.md describes the
 * protocol.
 *
 * This header includes all others; each subject has a header of its own:
 *   core, client, keystore, encrypt, session, decrypt, log, evidence, operate, simulate;
 *   attest (evidence of every kind, offline), collateral (what vendors publish)
 *
 *   link with    pkg-config --cflags --libs vouchsafe
 *   examples     examples/encrypt.c, examples/worker.c, examples/verify_receipt.c
 *
 * Conventions
 * - Call vs_start() once per process before anything else. There is no other global state.- Use a
 * handle (vs_client, vs_session, ...) in one thread at a time. Different threads may use different
 * handles.
 * - Every function that can fail returns enum vs_error and writes its `out` arguments on success
 *   only, unless it says otherwise. VS_ERR_ARGUMENT (a required argument is NULL or out of range)
 *   and VS_ERR_MEMORY are possible everywhere and are not listed again.
 * - The caller owns what a function writes through `struct X **out` or `struct vs_blob *out`.
 *   Release it with X_free() or vs_blob_clear(); they accept NULL and released objects. Inputs are
 *   borrowed for the call only.
 * - Sizes are bytes, times are Unix seconds, keys and hashes are raw bytes, strings are UTF-8 and
 *   end with a zero byte. The caller provides buffers for results, of the stated size.- Private
 * keys and plaintexts are in guarded memory: locked, absent from core dumps, wiped.
 * - Functions that talk to the keystore block for at most the client's timeout per request.
 *
 * A machine on the network path can answer in the keystore's place. Verify the keystore once with
 * vs_keystore_verify(), and pass the result to vs_pubkey() and vs_attest(). Then their results are
 * proven to come from the keystore. So is each plaintext that vs_decrypt() opens with such a
 * session. Otherwise any server that answers is trusted.
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
