/**
 * Turns an untrusted JSON value into the canonical text of one CQL type, or into undefined when it does not convert.
 * It never throws: a value that does not convert is an ordinary outcome when a payload is compared with a row.
 */
export type Conversion = (value: unknown) => string | undefined
