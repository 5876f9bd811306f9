mod packets;
mod pair;
mod sessions;
mod tables;
