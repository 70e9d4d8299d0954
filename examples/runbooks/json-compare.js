// Compares the JSON that two addresses answer, such as one API on two releases, and names every difference by its path.
// Exit code: 0 the same, 1 different, 2 where one could not be read.
"use strict";

const ignored = (process.env.PARAM_IGNORE || "").split(",").map((path) => path.trim()).filter(Boolean);
const most = Number(process.env.PARAM_MOST);
const GREATEST_BODY = 16 * 1024 * 1024;

function read(address) {
  const url = new URL(address);
  const client = require(url.protocol === "https:" ? "node:https" : "node:http");
  return new Promise((resolve, reject) => {
    const request = client.get(url, { headers: { accept: "application/json" } }, (response) => {
      const parts = [];
      let size = 0;
      response.on("data", (data) => {
        parts.push(data);
        size += data.length;
        if (size > GREATEST_BODY) response.destroy(new Error("it answered more than 16 MiB"));
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`));
        try {
          resolve(JSON.parse(Buffer.concat(parts)));
        } catch {
          reject(new Error("it answered no JSON"));
        }
      });
    });
    request.setTimeout(15_000, () => request.destroy(new Error("no answer within 15 s")));
    request.on("error", reject);
  }).catch((error) => { throw new Error(`${url.origin}${url.pathname}: ${error.message}`); });
}

// `*` in an ignored path stands for one step: items.*.updated_at.
const isIgnored = (path) => ignored.some((pattern) => {
  const wanted = pattern.split(".");
  return wanted.length === path.length && wanted.every((step, index) => step === "*" || step === path[index]);
});

function* differences(left, right, path = []) {
  if (isIgnored(path)) return;
  const composite = (value) => typeof value === "object" && value !== null;
  if (composite(left) && composite(right) && Array.isArray(left) === Array.isArray(right)) {
    for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
      yield* differences(left[key], right[key], [...path, key]);
    }
  } else if (left !== right) {
    yield { path: path.join(".") || "(all of it)", left, right };
  }
}

const shown = (value) => (value === undefined ? "nothing" : JSON.stringify(value).slice(0, 120));

async function main() {
  const [left, right] = await Promise.all([read(process.env.PARAM_LEFT_URL), read(process.env.PARAM_RIGHT_URL)]);
  let count = 0;
  for (const { path, left: before, right: after } of differences(left, right)) {
    count += 1;
    if (count <= most) console.log(`${path}: ${shown(before)} -> ${shown(after)}`);
  }
  if (count > most) console.log(`… and ${count - most} more`);
  console.log(count ? `${count} differences` : "the same");
  return count ? 1 : 0;
}

main().then((code) => { process.exitCode = code; }, (error) => {
  console.error(`json-compare: ${error.message}`);
  process.exitCode = 2;
});
