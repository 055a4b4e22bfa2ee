// Verifies and opens what a pull collected, with npm `jose` and nothing of ours.
// Input (stdin): {jwks, enc: JWK, apart: JWK, folder, documents: {name: JWE file}}. Output: one JSON line.
import { compactDecrypt, compactVerify, createLocalJWKSet, importJWK } from "jose";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const input = JSON.parse(readFileSync(0, "utf8"));
const text = (...names) => readFileSync(join(input.folder, ...names), "utf8");
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const pinned = createLocalJWKSet(input.jwks);

async function verified(token, typ) {
  const { payload, protectedHeader } = await compactVerify(token, pinned, { algorithms: ["ES256"] });
  if (protectedHeader.typ !== typ) throw new Error(`typ ${protectedHeader.typ}`);
  return payload;
}

async function opened(token, jwk, typ) {
  const options = { keyManagementAlgorithms: ["ECDH-ES+A256KW"], contentEncryptionAlgorithms: ["A256GCM"] };
  const { plaintext, protectedHeader } = await compactDecrypt(token, await importJWK(jwk, "ECDH-ES+A256KW"), options);
  if (protectedHeader.typ !== typ) throw new Error(`typ ${protectedHeader.typ}`);
  return plaintext;
}

const packed = await opened(text("referral.jwe"), input.enc, "referral-package+jwe");
const { referral, seal, opening } = JSON.parse(new TextDecoder().decode(packed));
const payload = await verified(referral, "referral+jws");
const sealed = JSON.parse(new TextDecoder().decode(await verified(seal, "referral-seal+jws")));
const said = {
  referral: sha256(referral),
  seal: sha256(seal),
  payload: sha256(payload),
  opening: opening.schema,
  release: sealed.release,
  documents: {},
  apart: null,
};
for (const [name, file] of Object.entries(input.documents))
  said.documents[name] = sha256(await opened(readFileSync(file, "utf8"), input.enc, "referral-document+jwe"));
if (existsSync(join(input.folder, "apart.jwe"))) {
  const apart = await opened(text("apart.jwe"), input.apart, "referral-apart+jwe");
  const inside = await verified(new TextDecoder().decode(apart), "referral-apart+jws");
  said.apart = JSON.parse(new TextDecoder().decode(inside)).units.map((unit) => unit[1]);
}
console.log(JSON.stringify(said));
