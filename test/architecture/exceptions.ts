/**
 * What breaks a rule of test/architecture.test.ts and may, or does so still. An entry that is not needed any more fails:
 * take it out. The lists without reasons are to become empty.
 */

/** Files that may read the machine's clock or randomness, each with its reason. */
export const clockAndRandomExceptions: Readonly<Record<string, string>> = {
  'src/dashboard/pageWorker.ts': 'how long its thread has worked is asked of Node, beside the time',
}

/** Files by which text leaves the process, each with how secrets are kept in. */
export const outlets: Readonly<Record<string, string>> = {
  'src/cli/cliIo.ts': 'hands the streams of the process to the printer and the logger',
  'src/cli/output/showProgress.ts': 'a bar of numbers',
  'src/runtime/job/logger.ts': 'masks each line',
}

/** Files that name a system outside its folder. */
export const namingFiles: readonly string[] = [
  'src/connectors/embedded/store/tableStore.ts',
  'src/core/errors.ts',
  'src/core/foreignPeer.ts',
  'src/files/findStranger.ts',
  'src/files/openDataDirectory.ts',
  'src/testing/kit/boundedReads.ts',
  'src/testing/world/memoryTables.ts',
]

/** Names that several files export for several things. */
export const sharedNameExceptions: readonly string[] = []
