import type { CqlType, NativeTypeName } from '../../../tables/cqlType.ts'

/** Types whose values Cassandra 5 writes without a length inside a vector. The small integers and date are not among them. */
const widths: Partial<Readonly<Record<NativeTypeName, number>>> = {
  bigint: 8,
  boolean: 1,
  double: 8,
  float: 4,
  int: 4,
  timestamp: 8,
  timeuuid: 16,
  uuid: 16,
}

/** Bytes that each value of a type takes inside a vector; undefined where each value has a length of its own. */
export function fixedWidth(type: CqlType): number | undefined {
  if (type.kind === 'native') return widths[type.name]
  if (type.kind !== 'vector') return undefined
  const element = fixedWidth(type.element)
  return element === undefined ? undefined : element * type.dimensions
}
