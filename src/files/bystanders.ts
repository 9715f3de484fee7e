/** What file systems, servers of files, desktops and git leave in a directory that is empty otherwise. */
const bystanders = /^(lost\+found|\.snapshot|\.nfs[\da-f]+|\.DS_Store|\.gitkeep|\.gitignore)$/

/** Whether something of this name says nothing of whose a directory is. */
export function isBystander(name: string): boolean {
  return bystanders.test(name)
}
