/** An icon: `import Key from '@lucide/svelte/icons/key'`, never from the barrel. */
export type LucideIcon = typeof import('@lucide/svelte/icons/key').default;
