import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// The servers of a run live for minutes: they are not worth the compiler that makes the last of them, and start on half the CPU.
process.env['JAVA_TOOL_OPTIONS'] ??= '-XX:TieredStopAtLevel=1'

/** Suites that talk to real servers, or start them. */
const servers = [
  'test/connectors/{kafka,cassandra}/**/*.test.ts',
  'test/services/**/*.test.ts',
  'test/guarantees/real/**/*.test.ts',
  'test/cli/{real,secured}World.test.ts',
]

export default defineConfig({
  test: {
    // Starts nothing until a suite asks for a real server.
    globalSetup: ['test/support/realServersSetup.ts'],
    // A process per file: tests send signals, start programs and hold directory locks.
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: servers,
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
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
