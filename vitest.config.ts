import { globSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// The servers of a run live for minutes: they are not worth the compiler that makes the last of them, and start on half the CPU.
process.env['JAVA_TOOL_OPTIONS'] ??= '-XX:TieredStopAtLevel=1'

/** Suites that take too long for every change: `npm run proof -- suites` runs them. */
const long = ['test/**/*.long.test.ts']

/** Suites that talk to real servers. */
const servers = globSync('test/**/*.test.ts', { cwd: import.meta.dirname }).filter((file) =>
  /^import \{[^}]*\bdescribeWithServers\b[^}]*\} from '.*\/support\/realServers\.ts'$/m.test(
    readFileSync(path.join(import.meta.dirname, file), 'utf8'),
  ),
)

/** Suites that start programs, send signals, hold locks, or need much memory. */
const programs = [
  'test/{cli,guarantees,mutations,servers,simulation,support,types}/**/*.test.ts',
  'test/docs/{consoles,readme,snippets}.test.ts',
  'test/packaging.test.ts',
]

/** What takes longest, which a fresh clone cannot know: begun last, one of them would run alone at the end. */
const slowest = [
  'real/faults',
  'real/kill',
  'real/network',
  'real/leaders',
  'real/rollingChange',
  'securedWorld',
  'groupingInCassandra',
  'real/disk',
  'realWorld',
  'plantedBugs',
  'simulation/framework',
  'killEmbedded',
  'crashEmbedded',
  'readme',
  'mutations',
  'damagedStore',
  'damagedState',
  'packaging',
  'strangers',
]

class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = slowest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`))
      return found < 0 ? slowest.length : found
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

// Vitest leaves a core free; of two cores that is half the machine, and many files wait for child processes.
const maxWorkers = Math.max(2, availableParallelism() - 1)

export default defineConfig({
  test: {
    // Starts nothing until a suite asks for a real server.
    globalSetup: ['test/support/realServersSetup.ts'],
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 60_000,
    sequence: { sequencer: SlowestFirst },
    // Of the tests of one file that run side by side, most of which start processes.
    maxConcurrency: 3,
    projects: [
      {
        extends: true,
        // Files share a process: loading what they test would take longer than testing it.
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...programs, ...servers, ...long],
          isolate: false,
          maxWorkers,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'programs',
          include: programs,
          exclude: [...servers, ...long],
          maxWorkers,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        // Not beside the others, and two at a time: servers, jobs and verifiers share the machine, and mostly wait.
        test: {
          name: 'servers',
          include: servers,
          exclude: long,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      ...(process.env['TEST_LONG'] === '1'
        ? [{ extends: true as const, test: { name: 'long', include: long, maxWorkers: 1 } }]
        : []),
    ],
  },
})
