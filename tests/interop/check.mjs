// Opens, derives and verifies with libraries that are not ours what tests/vectors holds; prints one JSON object.
import { createHash, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import sodium from "libsodium-wrappers-sumo";

const [, , vectors] = process.argv;
const read = (name) => JSON.parse(readFileSync(`${vectors}/${name}.json`, "utf8"));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (data) => Buffer.from(data).toString("hex");
const ENCAPSULATED = 1088 + 32;

// Deterministic CBOR, as far as these arrays need it.
function head(major, n) {
  if (n < 24) return Buffer.from([(major << 5) | n]);
  if (n < 256) return Buffer.from([(major << 5) | 24, n]);
  if (n < 65536) return Buffer.concat([Buffer.from([(major << 5) | 25]), Buffer.from([n >> 8, n & 255])]);
  const long = Buffer.alloc(5);
  long[0] = (major << 5) | 26;
  long.writeUInt32BE(n, 1);
  return long;
}
function cbor(value) {
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)]);
  if (typeof value === "string") return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === "number") return head(0, value);
  return Buffer.concat([head(2, value.length), Buffer.from(value)]);
}

async function stanzas() {
  const source = read("formats");
  const suite = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
  const found = source.formats.find((f) => f.format === "stanza");
  const key = await suite.kem.deserializePrivateKey(bytes(source.stanza.seed));
  const open = async (sealed) => {
    try {
      const context = await suite.createRecipientContext({
        recipientKey: key, enc: sealed.slice(0, ENCAPSULATED), info: bytes(source.stanza.info),
      });
      return hex(new Uint8Array(await context.open(sealed.slice(ENCAPSULATED))));
    } catch {
      return "refused";
    }
  };
  const invalid = [];
  for (const lie of found.invalid) invalid.push([lie.why, await open(bytes(lie.bytes))]);
  return { valid: await open(bytes(found.valid)), plain: source.stanza.plain, invalid };
}

function codes() {
  return read("codes").valid.filter((code) => code.sign_public).map((code) => {
    const label = cbor(["eata/v1/code", code.kind, bytes(code.ledger), code.carnet_id]);
    const salt = createHash("sha256").update(label).digest().subarray(0, 16);
    const root = sodium.crypto_pwhash(32, code.symbols, salt, 2, 64 * 1024 * 1024, sodium.crypto_pwhash_ALG_ARGON2ID13);
    const derive = (purpose) => new Uint8Array(hkdfSync("sha256", root, new Uint8Array(32), cbor(["eata/v1/code", purpose]), 32));
    return {
      text: code.text, sign_public: hex(sodium.crypto_sign_seed_keypair(derive("sign")).publicKey), wrap: hex(derive("wrap")),
    };
  });
}

function signatures() {
  const source = read("signatures");
  const good = ([, key, signature, message]) => {
    try {
      return sodium.crypto_sign_verify_detached(bytes(signature), bytes(message), bytes(key));
    } catch {
      return false;
    }
  };
  return { valid: source.valid.map(good), invalid: source.invalid.map(good) };
}

await sodium.ready;
process.stdout.write(JSON.stringify({ stanzas: await stanzas(), codes: codes(), signatures: signatures() }));
