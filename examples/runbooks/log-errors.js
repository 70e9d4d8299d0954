// Reads a log from an address, line by line, and summarises its errors: how many, in which minutes, and which ones.
// Exit code: 0 below the limit, 1 at or above it, 2 where the log could not be read.
"use strict";
const readline = require("node:readline");

const url = new URL(process.env.PARAM_URL);
const warn = Number(process.env.PARAM_WARN_PERCENT);
const most = Number(process.env.PARAM_MAX_MIB) * 1024 * 1024;
const MINUTE = /\d{4}-\d\d-\d\d[T ]\d\d:\d\d/;
const MOST_KINDS = 10_000;

// What differs from one line to the next, so that lines that mean the same are counted together.
const kindOf = (line) =>
  line.replace(/\d{4}-\d\d-\d\d[T ][\d:.,+Z-]+/g, "").replace(/\b[0-9a-f]{8,}\b/gi, "#").replace(/\d+/g, "#").trim().slice(0, 160);

function fetchLog() {
  const client = require(url.protocol === "https:" ? "node:https" : "node:http");
  return new Promise((resolve, reject) => {
    const request = client.get(url, (response) => {
      if (response.statusCode === 200) return resolve(response);
      response.destroy();
      reject(new Error(`status ${response.statusCode}`));
    });
    request.setTimeout(15_000, () => request.destroy(new Error("no data for 15 s")));
    request.on("error", reject);
  });
}

async function main() {
  const isError = new RegExp(process.env.PARAM_ERROR_PATTERN);
  const log = await fetchLog();
  let [lines, errors, size] = [0, 0, 0];
  const minutes = new Map();
  const kinds = new Map();
  log.on("data", (data) => {
    size += data.length;
    if (size > most) log.destroy(new Error(`it is longer than ${process.env.PARAM_MAX_MIB} MiB`));
  });
  const failed = new Promise((_, reject) => log.on("error", reject));
  const counted = (async () => {
    for await (const line of readline.createInterface({ input: log, crlfDelay: Infinity })) {
      lines += 1;
      if (!isError.test(line)) continue;
      errors += 1;
      const minute = line.match(MINUTE)?.[0] ?? "no time";
      minutes.set(minute, (minutes.get(minute) ?? 0) + 1);
      const kind = kindOf(line);
      if (kinds.has(kind) || kinds.size < MOST_KINDS) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
  })();
  await Promise.race([Promise.all([counted, new Promise((resolve) => log.on("close", resolve))]), failed]);

  const percent = lines ? (errors * 100) / lines : 0;
  console.log(`${lines} lines, ${errors} errors: ${percent.toFixed(2)} %`);
  const top = [...kinds].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 10);
  if (errors > 0) {
    console.log("\nerrors by minute:");
    for (const [minute, count] of [...minutes].sort().slice(-30)) console.log(`${String(count).padStart(7)}  ${minute}`);
    console.log("\nmost frequent:");
    for (const [kind, count] of top) console.log(`${String(count).padStart(7)}  ${kind}`);
  }
  if (lines > 0 && percent >= warn) {
    console.error(`log-errors: ${warn} % or more of the lines are errors`);
    return 1;
  }
  return 0;
}

main().then((code) => process.exit(code), (error) => {
  console.error(`log-errors: cannot read the log: ${error.message}`);
  process.exit(2);
});
