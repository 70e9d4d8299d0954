// Reads a page with npm's `statuspage.io` and prints all its answers as JSON: `read_with_node.cjs MODULES URL`.
const path = require('node:path');

const [modules, url] = process.argv.slice(2);
const {Statuspage} = require(path.join(modules, 'statuspage.io'));

async function read() {
  const client = new Statuspage('acme');
  client.setApiUrl(url);
  return {
    components: await client.api.getComponents(),
    status: await client.api.getStatus(),
    summary: await client.api.getSummary(),
    incidents: await client.api.incidents.getAll(),
    unresolved: await client.api.incidents.getUnresolved(),
    upcoming: await client.api.scheduledMaintenances.getUpcoming(),
    // In this version these two ask for the upcoming ones, too.
    active: await client.api.scheduledMaintenances.getActive(),
    all: await client.api.scheduledMaintenances.getAll(),
  };
}

read().then(
  (answers) => console.log(JSON.stringify(answers)),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
