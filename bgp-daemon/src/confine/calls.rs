//! seccomp: system calls that no router makes fail with EPERM, so that a hole in the kernel behind one is out of reach.
//!
//! It is a list of what is refused, not of what is allowed: C libraries begin to use new calls, and a daemon that does not
//! start after an update of the system protects nobody. (A unit of systemd can allow instead: `deploy/systemd`.)

/// Has those calls fail that no daemon makes and, unless it `runs` a program, those that run one. What is in force, for the
/// log.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
pub(super) fn refuse(runs: bool) -> Result<String, String> {
    filters::install(runs).map_err(|error| format!("seccomp: {error}"))
}

/// Nothing is known of the calls of this machine.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
pub(super) fn refuse(_: bool) -> Result<String, String> {
    Err("seccomp: the system calls of this architecture are not known".to_owned())
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
mod filters {
    use std::collections::BTreeMap;

    use libc::c_long;
    use seccompiler::{
        BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
        SeccompFilter, SeccompRule, apply_filter,
    };

    /// Never made.
    const REFUSED: &[c_long] = &[
        // Other processes, and what they remember.
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_process_madvise,
        libc::SYS_pidfd_getfd,
        libc::SYS_kcmp,
        libc::SYS_migrate_pages,
        libc::SYS_move_pages,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        // Large parts of the kernel that are of no use here.
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_fanotify_init,
        libc::SYS_quotactl,
        libc::SYS_personality,
        libc::SYS_lookup_dcookie,
        libc::SYS_remap_file_pages,
        libc::SYS_vmsplice,
        // Another view of the file system or of the host.
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_chroot,
        libc::SYS_pivot_root,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_move_mount,
        libc::SYS_open_tree,
        libc::SYS_fsopen,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fspick,
        libc::SYS_mount_setattr,
        libc::SYS_name_to_handle_at,
        libc::SYS_open_by_handle_at,
        // The host itself.
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_acct,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_clock_adjtime,
        libc::SYS_adjtimex,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        libc::SYS_syslog,
        libc::SYS_vhangup,
        // Code that no file has.
        libc::SYS_memfd_create,
        libc::SYS_execveat,
    ];

    /// Families of sockets that are used: what is there between the hosts, and to this kernel.
    const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

    pub(super) fn install(runs: bool) -> Result<String, Error> {
        let refused = refused(runs)?;
        let told = format!("{} system calls refused", refused.len());
        apply_filter(&program(refused, libc::EPERM)?)?;
        // Its flags cannot be looked at, and C libraries then do with `clone`, whose can.
        apply_filter(&program(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)?)?;
        Ok(told)
    }

    /// Each call with the arguments that are refused, none: all.
    fn refused(runs: bool) -> Result<BTreeMap<c_long, Vec<SeccompRule>>, BackendError> {
        let mut calls: BTreeMap<c_long, Vec<SeccompRule>> =
            REFUSED.iter().map(|call| (*call, Vec::new())).collect();
        if !runs {
            calls.insert(libc::SYS_execve, Vec::new());
        }
        let strange = FAMILIES.iter().map(|family| argument(0, SeccompCmpOp::Ne, *family));
        calls.insert(libc::SYS_socket, vec![SeccompRule::new(strange.collect::<Result<_, _>>()?)?]);
        calls.insert(libc::SYS_clone, vec![has_all(0, libc::CLONE_NEWUSER)?]);
        // Memory is either written or run.
        calls.insert(libc::SYS_mmap, vec![has_all(2, libc::PROT_WRITE | libc::PROT_EXEC)?]);
        calls.insert(libc::SYS_mprotect, vec![has_all(2, libc::PROT_EXEC)?]);
        calls.insert(libc::SYS_pkey_mprotect, vec![has_all(2, libc::PROT_EXEC)?]);
        Ok(calls)
    }

    fn has_all(index: u8, bits: libc::c_int) -> Result<SeccompRule, BackendError> {
        SeccompRule::new(vec![argument(
            index,
            SeccompCmpOp::MaskedEq(u64::from(bits.cast_unsigned())),
            bits,
        )?])
    }

    fn argument(
        index: u8,
        operator: SeccompCmpOp,
        value: libc::c_int,
    ) -> Result<SeccompCondition, BackendError> {
        let value = u64::from(value.cast_unsigned());
        SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)
    }

    fn program(
        calls: BTreeMap<c_long, Vec<SeccompRule>>,
        error: libc::c_int,
    ) -> Result<BpfProgram, BackendError> {
        let refuse = SeccompAction::Errno(error.cast_unsigned());
        let arch = std::env::consts::ARCH.try_into()?;
        SeccompFilter::new(calls, SeccompAction::Allow, refuse, arch)?.try_into()
    }
}
