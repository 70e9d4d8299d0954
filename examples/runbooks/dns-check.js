// Asks for the DNS records of a name, of one server or of this machine's, and compares them with what is expected.
// Exit code: 0 as expected (or found, where nothing is), 1 otherwise, 2 where no server answered.
"use strict";
const { Resolver } = require("node:dns").promises;

const { PARAM_NAME: name, PARAM_TYPE: type, PARAM_SERVER: server = "", PARAM_EXPECTED: expected = "" } = process.env;
const resolver = new Resolver({ timeout: Number(process.env.PARAM_TIMEOUT_MS), tries: 2 });

const asText = (record) => {
  if (Array.isArray(record)) return record.join("");
  if (typeof record !== "object") return record;
  if ("exchange" in record) return `${record.priority} ${record.exchange}`;
  return Object.values(record).join(" ");
};

async function main() {
  if (server) resolver.setServers([server]);
  console.log(`${type} of ${name}, asked of ${resolver.getServers().join(", ")}`);
  let found = [];
  try {
    found = [await resolver.resolve(name, type)].flat().map(asText).sort();
  } catch (error) {
    if (!["ENODATA", "ENOTFOUND"].includes(error.code)) {
      console.error(`dns-check: no answer: ${error.code}`);
      return 2;
    }
    console.log(error.code === "ENODATA" ? "  no such record" : "  no such name");
  }
  for (const record of found) console.log(`  ${record}`);
  const wanted = expected.split(",").map((record) => record.trim()).filter(Boolean).sort();
  const missing = wanted.filter((record) => !found.includes(record));
  const surplus = wanted.length ? found.filter((record) => !wanted.includes(record)) : [];
  for (const record of missing) console.error(`dns-check: missing: ${record}`);
  for (const record of surplus) console.error(`dns-check: not expected: ${record}`);
  return missing.length || surplus.length || !found.length ? 1 : 0;
}

main().then((code) => { process.exitCode = code; });
