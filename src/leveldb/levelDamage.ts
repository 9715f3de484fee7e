/** One place where a LevelDB directory is not what LevelDB left. */
export interface LevelDamage {
  /** Relative to the directory. */
  readonly file: string
  /** In bytes; 0 where the file as a whole is meant. */
  readonly offset: number
  readonly reason: string
}
