/*
 * `npm run bench`: what the framework costs on this machine, as a table, and as one line of JSON with the machine and the
 * commit. No servers, under two minutes. Nothing is asserted; docs/performance.md quotes it.
 */
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { measureEmbeddedKeyedState } from './e2e/embeddedKeyedState.ts'
import { measureEmbeddedReconcile } from './e2e/embeddedReconcile.ts'
import { measureEmbeddedLog } from './micro/embeddedLog.ts'
import { measureEmptyEpoch } from './micro/emptyEpoch.ts'
import { measureOperators } from './micro/operators.ts'

const records = Number(process.argv[2] ?? 200_000)

const row = (what: string, figure: number, unit: string): void => {
  console.log(`  ${what.padEnd(44)} ${figure.toFixed(figure < 100 ? 2 : 0).padStart(9)} ${unit}`)
}

const machine = `${String(cpus().length)} x ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`
console.log(machine)

const reconcile = await measureEmbeddedReconcile(records)
const { phases, epochs } = reconcile.result
console.log(
  `\nEmbedded reconcile: ${String(records)} records and rows, 9 % misses, commits synced every second, 4 tasks`,
)
row('records', reconcile.recordsPerSecond, 'records/s')
row('CPU of the process', reconcile.cpuMicrosPerRecord, 'µs/record')
row('emit, all tasks side by side', phases.emitMs, 'ms')
row('drain', phases.drainMs, 'ms')
row('commit', phases.commitMs, 'ms')
row('epochs', epochs, '')
row('heap', reconcile.heapMiB, 'MiB')
row('resident', reconcile.residentMiB, 'MiB')

const keyedState = await measureEmbeddedKeyedState(records)
console.log(`\nEmbedded keyed state: ${String(records)} records counted, four of each key`)
row('records', keyedState.recordsPerSecond, 'records/s')
row('CPU of the process', keyedState.cpuMicrosPerRecord, 'µs/record')

const log = await measureEmbeddedLog(records)
console.log('\nEmbedded log, records of 160 B')
row('append, synced', log.append, 'µs/record')
row('read', log.read, 'µs/record')
row('look a row up, in groups of 100', log.lookup, 'µs/record')

const emptyEpochMicros = await measureEmptyEpoch()
console.log('\nEpoch loop')
row('an empty epoch of the reconcile job, no disk', emptyEpochMicros, 'µs/epoch')

const operators = await measureOperators(300_000)
console.log('\nOperators, parsing, hashing and encoding included; lookups answer at once')
for (const { operator, microsPerRecord } of operators) row(operator, microsPerRecord, 'µs/record')

console.log(
  `\n${JSON.stringify({ machine, commit: commit(), records, reconcile, keyedState, log, emptyEpochMicros, operators })}`,
)

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    // Outside of a checkout.
    return 'unknown'
  }
}
