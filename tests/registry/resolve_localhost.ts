/**
 * Tells the IPv4 addresses that the real world has for `localhost`, one a line: started with permissions to be tried.
 *
 * @module
 */

import { denoWorld } from "../../src/deno_world.ts";
import type { Log } from "../../src/world.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, room: () => log };
const addresses = await denoWorld(log).resolveHost("localhost", new AbortController().signal);
for (const address of addresses.filter((one) => one.includes("."))) console.log(address);
