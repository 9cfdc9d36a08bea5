/**
 * A program that listens on the port of its first argument, says nothing, and tells on stderr how many connections it
 * saw on SIGTERM: for what a supervisor does to an agent that it cannot hear. With `ignores SIGTERM` as its second
 * argument it goes on then.
 *
 * @module
 */
const listener = Deno.listen({ hostname: "127.0.0.1", port: Number(Deno.args[0]) });
const connections: Deno.Conn[] = [];
Deno.addSignalListener("SIGTERM", () => {
  console.error(`Failed to accept connection: ${connections.length} seen`);
  if (Deno.args[1] !== "ignores SIGTERM") Deno.exit(0);
});
for await (const connection of listener) connections.push(connection);
