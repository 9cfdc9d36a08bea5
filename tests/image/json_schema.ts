/** The part of JSON Schema that this project's schemas use, and nothing else: an unknown keyword is an error. */

type Schema = Readonly<Record<string, unknown>>;

const annotations = new Set(["$schema", "$defs", "title", "description"]);

/** Everything in which `value` is not as `schema` says, each with its path. */
export function schemaFaults(value: unknown, schema: Schema, root: Schema = schema, path = "$"): string[] {
  return Object.entries(schema).flatMap(([keyword, wanted]) => {
    if (annotations.has(keyword)) return [];
    const check = keywords[keyword];
    if (check === undefined) return [`${path}: unknown keyword ${keyword}`];
    return check(value, wanted, { schema, root, path });
  });
}

/** A schema of this project by its file name, as schemas refer to each other. */
export function readSchema(name: string): Schema {
  return JSON.parse(Deno.readTextFileSync(new URL(`../../docs/schemas/${name}`, import.meta.url)));
}

interface Place {
  readonly schema: Schema;
  readonly root: Schema;
  readonly path: string;
}

const keywords: Readonly<Record<string, (value: unknown, wanted: unknown, place: Place) => string[]>> = {
  type: (value, wanted, { path }) =>
    typeOf(value) === wanted ? [] : [`${path}: ${typeOf(value)}, wanted ${wanted}`],
  const: (value, wanted, { path }) => value === wanted ? [] : [`${path}: ${value}, wanted ${wanted}`],
  enum: (value, wanted, { path }) =>
    Array.isArray(wanted) && wanted.includes(value) ? [] : [`${path}: ${value} is none of ${wanted}`],
  minimum: (value, wanted, { path }) => Number(value) >= Number(wanted) ? [] : [`${path}: below ${wanted}`],
  maximum: (value, wanted, { path }) => Number(value) <= Number(wanted) ? [] : [`${path}: above ${wanted}`],
  pattern: (value, wanted, { path }) =>
    new RegExp(String(wanted)).test(String(value)) ? [] : [`${path}: '${value}' is not like ${wanted}`],
  required: (value, wanted, { path }) =>
    (wanted as string[]).filter((name) => !(name in record(value))).map((name) => `${path}: no ${name}`),
  properties: (value, wanted, { root, path }) =>
    Object.entries(record(wanted)).flatMap(([name, schema]) =>
      name in record(value) ? schemaFaults(record(value)[name], record(schema), root, `${path}.${name}`) : []
    ),
  additionalProperties: (value, _wanted, { schema, path }) =>
    Object.keys(record(value)).filter((name) => !(name in record(schema.properties)))
      .map((name) => `${path}: unexpected ${name}`),
  items: (value, wanted, { root, path }) =>
    Array.isArray(value)
      ? value.flatMap((item, index) => schemaFaults(item, record(wanted), root, `${path}[${index}]`))
      : [],
  oneOf: (value, wanted, { root, path }) => {
    const faults = (wanted as Schema[]).map((schema) => schemaFaults(value, schema, root, path));
    return faults.filter(({ length }) => length === 0).length === 1 ? [] : faults.flat();
  },
  $ref: (value, wanted, { root, path }) => {
    if (!String(wanted).startsWith("#")) {
      return schemaFaults(value, readSchema(String(wanted)), undefined, path);
    }
    const target = String(wanted).slice(2).split("/").reduce<unknown>((at, name) => record(at)[name], root);
    return schemaFaults(value, record(target), root, path);
  },
};

function record(value: unknown): Schema {
  return typeof value === "object" && value !== null ? value as Schema : {};
}

function typeOf(value: unknown): string {
  if (Number.isInteger(value)) return "integer";
  if (Array.isArray(value)) return "array";
  return value === null ? "null" : typeof value;
}
