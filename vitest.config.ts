import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// The servers of a run live for minutes: they are not worth the compiler that makes the last of them, and start on half the CPU.
process.env['JAVA_TOOL_OPTIONS'] ??= '-XX:TieredStopAtLevel=1'

/** Suites that take too long for every change: `npm run proof -- suites` runs them. */
const long = ['test/**/*.long.test.ts']

/** Suites that talk to real servers, or start them. */
const servers = [
  'test/connectors/{kafka,cassandra}/**/*.test.ts',
  'test/services/**/*.test.ts',
  'test/guarantees/real/**/*.test.ts',
  'test/cli/{real,secured}World.test.ts',
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
  'real/guarantees',
  'real/disk',
  'realWorld',
  'plantedBugs',
  'simulation/simulate',
  'killEmbedded',
  'crashEmbedded',
  'readme',
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

export default defineConfig({
  test: {
    // Starts nothing until a suite asks for a real server.
    globalSetup: ['test/support/realServersSetup.ts'],
    // A process per file: tests send signals, start programs and hold directory locks.
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 60_000,
    sequence: { sequencer: SlowestFirst },
    // Of the tests of one file that run side by side, most of which start processes.
    maxConcurrency: 3,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...servers, ...long],
          // Vitest leaves a core free; of two cores that is half the machine, and many files wait for child processes.
          maxWorkers: Math.max(2, availableParallelism() - 1),
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
