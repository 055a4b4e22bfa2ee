// A partner's client made of oauth4webapi, which is certified for FAPI 2.0: token, then DPoP call.
// Input (stdin): {url, clientId, kid, auth: JWK, dpop: JWK}. Output: one JSON line.
import * as oauth from "oauth4webapi";
import { readFileSync } from "node:fs";

const input = JSON.parse(readFileSync(0, "utf8"));
const curve = { name: "ECDSA", namedCurve: "P-256" };
const load = async (jwk) => crypto.subtle.importKey("jwk", jwk, curve, true, ["sign"]);
const open = (jwk) => crypto.subtle.importKey("jwk", { ...jwk, d: undefined }, curve, true, ["verify"]);

const local = { [oauth.allowInsecureRequests]: true }; // http on loopback only
const issuer = new URL(input.url);
const found = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...local });
const server = await oauth.processDiscoveryResponse(issuer, found);
const client = { client_id: input.clientId };
const key = { key: await load(input.auth), kid: input.kid };
const pair = { privateKey: await load(input.dpop), publicKey: await open(input.dpop) };
const DPoP = oauth.DPoP(client, pair);
const authenticate = oauth.PrivateKeyJwt(key);

async function token() {
  const wanted = new URLSearchParams({ scope: "referrals:pull" });
  const answer = await oauth.clientCredentialsGrantRequest(server, client, authenticate, wanted, {
    DPoP,
    ...local,
  });
  return oauth.processClientCredentialsResponse(server, client, answer);
}

let retries = 0;
async function twice(action) {
  try {
    return await action();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    retries += 1;
    return action();
  }
}

const granted = await twice(token);
const resource = new URL(input.url + "/v1/whoami");
const call = () =>
  oauth.protectedResourceRequest(granted.access_token, "GET", resource, undefined, undefined, {
    DPoP,
    ...local,
  });
const answer = await twice(call);
const type = granted.token_type;
console.log(JSON.stringify({ status: answer.status, body: await answer.json(), type, retries }));
