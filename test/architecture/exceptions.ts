/**
 * What breaks a rule of test/architecture.test.ts and may, or does so still. An entry that is not needed any more fails:
 * take it out.
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

/** Files that name a system outside its folder, each with its reason. */
export const namingFiles: Readonly<Record<string, string>> = {
  'src/connectors/embedded/store/tableStore.ts': 'says whose the keyspaces are that it does not load',
  'src/core/errors.ts': 'the one list of all codes says what they mean to who reads it, also those of one system',
  'src/core/foreignPeer.ts': 'knows servers that were not meant by the first bytes they send',
  'src/files/findStranger.ts': 'knows what version 0.1.0 has left in a data directory',
  'src/files/openDataDirectory.ts': 'names the directories that stand in a data directory',
  'src/testing/kit/boundedReads.ts': 'a double is bounded by the very code that bounds requests to the real system',
  'src/testing/world/memoryTables.ts': 'tables in memory refuse what the embedded ones do, by their code',
}
