// Verifies a referral folder from docs/spec alone, with nothing but Node's own crypto.
// usage: node verify.mjs FOLDER TRUST   (exit code 1 and one sentence when something does not hold)
import { createHash, createPublicKey, verify } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const [folder, trust] = process.argv.slice(2);
const must = (holds, sentence) => { if (!holds) { console.error(sentence); process.exit(1); } };
const sha = (...parts) => createHash("sha256").update(Buffer.concat(parts.map((p) => Buffer.from(p)))).digest();
const node = (left, right) => sha([1], left, right);
const canonical = (v) => v === null || typeof v !== "object" ? JSON.stringify(v) : Array.isArray(v)
  ? `[${v.map(canonical).join(",")}]`
  : `{${Object.keys(v).sort().map((k) => `${JSON.stringify(k)}:${canonical(v[k])}`).join(",")}}`;
const same = (a, b) => canonical(a) === canonical(b);
const b64 = (text, size, form = "base64url") => {
  const raw = Buffer.from(String(text), form);
  must(raw.toString(form) === text && (!size || raw.length === size), "A value is not strict base64.");
  return raw;
};
const read = (name) => { must(existsSync(join(folder, name)), `There is no ${name}.`); return readFileSync(join(folder, name)); };
const parse = (raw, what) => {
  let value;
  try { value = JSON.parse(raw.toString("utf8")); } catch { must(false, `The ${what} is not JSON.`); }
  must(Buffer.from(canonical(value)).equals(raw), `The ${what} is not canonical JSON.`);
  return value;
};
const keys = JSON.parse(readFileSync(join(trust, "jwks.json"), "utf8")).keys;
const grace = 48 * 3600e3;
function signed(name, typ) {
  const parts = read(name).toString("latin1").split(".");
  must(parts.length === 3, `${name} is not a compact JWS.`);
  const [header, payload, signature] = parts.map((part) => b64(part));
  const head = parse(header, "header");
  must(Object.keys(head).sort().join() === "alg,kid,typ" && head.alg === "ES256" && head.typ === typ, `${name} has another header.`);
  const jwk = keys.find((key) => key.kid === head.kid);
  must(jwk && jwk.typs.includes(typ), `${name} is signed with a key that is not pinned.`);
  const key = createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }, format: "jwk" });
  must(signature.length === 64 && verify("sha256", Buffer.from(`${parts[0]}.${parts[1]}`), { key, dsaEncoding: "ieee-p1363" }, signature), `The signature of ${name} does not match.`);
  const value = parse(payload, typ);
  must(!(Date.parse(value.drafted_at) > Date.parse(jwk.not_after)) && !(Date.parse(value.drafted_at) + grace < Date.parse(jwk.not_before)), "The key was not in use then.");
  return { value, payload, jwk };
}

// docs/spec/seal.md, verification, step 1
const referral = signed("referral.jws", "referral+jws");
const seal = signed("seal.jws", "referral-seal+jws");
for (const name of ["release", "addressee", "carrier", "drafted_at", "reference", "version", "kind", "supersedes", "issuer", "unconfirmed"])
  must(same(referral.value[name], seal.value[name]), `The document and the seal differ in ${name}.`);
must(sha(referral.payload).toString("hex") === seal.value.payload_sha256, "The seal is about another document.");
const { root, depth } = seal.value;
must(same(referral.value.seal, { alg: "rfc6962-sha256", root, depth }), "The document and the seal name different trees.");
const opening = parse(read("opening.json"), "opening");
must(opening.schema === "broker-opening/1" && opening.release === seal.value.release && opening.depth === depth && depth >= 8 && depth <= 20, "The opening is of another release.");

// step 2: set equality
const units = new Map();
const { facts, entities } = referral.value.doc;
must(Object.keys(referral.value.doc).sort().join() === "entities,facts", "The document has another shape.");
const take = (prefix, fields) => Object.entries(fields).forEach(([name, value]) => units.set(`${prefix}/${name}`, value));
for (const [section, fields] of Object.entries(facts)) take(`/facts/${section}`, fields);
for (const [collection, elements] of Object.entries(entities))
  for (const [id, fields] of Object.entries(elements)) take(`/entities/${collection}/${id}`, fields);
must(same(opening.units.map((unit) => unit[1]), [...units.keys()].sort()), "The document and the opening do not name the same values.");

// step 3: leaves, tree, root
const leaves = new Array(2 ** depth);
for (const [position, pointer, salt] of opening.units) {
  must(Number.isInteger(position) && position >= 0 && position < leaves.length && !leaves[position], "A position is wrong.");
  leaves[position] = sha([0], b64(salt, 16), canonical([pointer, units.get(pointer)]));
}
const rest = b64(opening.rest, 32 * (leaves.length - units.size));
for (let at = 0, place = 0; place < leaves.length; place++) leaves[place] ??= rest.subarray(32 * at, 32 * ++at);
let level = leaves;
while (level.length > 1) level = level.flatMap((left, i) => (i % 2 ? [] : [node(left, level[i + 1])]));
must(level[0].equals(b64(root, 32)), "A value in the document is not the one that was sealed.");

// step 4: documents
const present = existsSync(join(folder, "documents")) ? readdirSync(join(folder, "documents")).sort() : [];
must(same(present, seal.value.documents.map((entry) => entry.name)), "The documents are not those that were sealed.");
for (const { name, sha256, size } of seal.value.documents) {
  const content = read(join("documents", name));
  must(content.length === size && sha(content).toString("hex") === sha256, `The document ${name} was changed.`);
}

// docs/spec/proof.md
const text = read("proof.tlog").toString("utf8");
const proof = text.match(/^c2sp\.org\/tlog-proof@v1\nextra (\S+)\nindex (0|[1-9]\d*)\n((?:[A-Za-z0-9+/]{43}=\n)*)\n(([!-~]+)\n(0|[1-9]\d*)\n([A-Za-z0-9+/]{43}=)\n)\n((?:— \S+ \S+\n)+)$/u);
must(proof, "The proof of publication is not of the expected form.");
const extra = parse(b64(proof[1], 0, "base64"), "proof's record");
const { record } = extra;
must(extra.type === "published" && record.release === seal.value.release && record.seal_sha256 === sha(read("seal.jws")).toString("hex")
  && record.kind === seal.value.kind && record.carrier === seal.value.carrier.partner, "The proof is about another release.");
must(!(Date.parse(record.at) > Date.parse(seal.jwk.not_after) + grace), "It was published after the key was retired.");
const commit = sha(b64(extra.nonce, 16), canonical(record)).toString("hex");
let hash = sha([0], canonical({ commit, type: "published" }));
let index = Number(proof[2]), last = Number(proof[6]) - 1;
must(index <= last, "The proof's place is outside the ledger.");
for (const step of proof[3].split("\n").slice(0, -1).map((line) => b64(line, 32, "base64"))) {
  must(last > 0, "The proof is too long.");
  if (index % 2 || index === last) {
    hash = node(step, hash);
    while (index % 2 === 0 && index) { index = Math.floor(index / 2); last = Math.floor(last / 2); }
  } else hash = node(hash, step);
  index = Math.floor(index / 2); last = Math.floor(last / 2);
}
must(last === 0 && hash.equals(b64(proof[7], 32, "base64")), "The proof does not lead to the ledger's root.");
let believed = 0;
for (const [, origin, id, encoded] of readFileSync(join(trust, "ledger.vkey"), "utf8").matchAll(/^([^+\n]+)\+([0-9a-f]{8})\+(\S+)$/gm))
  for (const [, name, line] of proof[8].matchAll(/^— (\S+) (\S+)$/gmu)) {
    const raw = b64(line, 0, "base64");
    if (name !== origin || name !== proof[5] || raw.subarray(0, 4).toString("hex") !== id) continue;
    const x = b64(encoded, 33, "base64").subarray(1).toString("base64url");
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    must(verify(null, Buffer.from(proof[4]), key, raw.subarray(4)), "The ledger's signature does not match.");
    believed++;
  }
must(believed > 0, "The checkpoint is not signed by a pinned ledger key.");
console.log(`ok: ${units.size} values, ${present.length} documents, ledger position ${proof[2]}; withdrawals not checked: offline`);
