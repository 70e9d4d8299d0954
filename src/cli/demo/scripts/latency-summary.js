// Summarises response times in milliseconds, and says how many were over the limit.
const samples = process.env.PARAM_SAMPLES.split(",").map(Number).filter(Number.isFinite).sort((a, b) => a - b);
if (samples.length === 0) {
  console.error("no numbers in the parameter samples");
  process.exit(1);
}
const percentile = (p) => samples[Math.min(samples.length - 1, Math.floor((p / 100) * samples.length))];
for (const p of [50, 90, 99]) {
  console.log(`p${p} ${percentile(p)} ms`);
}
const limit = Number(process.env.PARAM_LIMIT_MS);
console.log(`${samples.filter((sample) => sample > limit).length} of ${samples.length} over ${limit} ms`);
