import { withoutUser } from "../without_user.ts";

/** Reads the URL of the attestation server; `host:port` alone is plain HTTP. Throws `SyntaxError`. */
export function parseAttestationUrl(text: string): URL {
  const refuse = (found: string): never => {
    throw new SyntaxError(
      `Cannot use '${withoutUser(text)}' as the attestation server: ${found}, wanted http://host:port`,
    );
  };
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url === null || /\s/.test(text)) return refuse("it is not a URL");
  if (url.username !== "" || url.password !== "") refuse("it holds a user name or password");
  if (url.protocol !== "http:" && url.protocol !== "https:") refuse(`its scheme is '${url.protocol}'`);
  if (url.search !== "" || url.hash !== "") refuse("it holds a query or fragment");
  return url;
}
