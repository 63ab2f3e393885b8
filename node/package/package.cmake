# What `cmake --install` puts where, and the Debian package (cpack -G DEB). Manual pages and
# completions come out of the program's own tables.
include(GNUInstallDirs)
set(made ${CMAKE_BINARY_DIR}/package)
file(MAKE_DIRECTORY ${made})
set(pages tideover.1 tideover.conf.5 tideover-policy.5)
foreach(page ${pages})
    string(REGEX REPLACE "\\.[0-9]$" "" name ${page})
    list(APPEND make_pages COMMAND tideover manual ${name} > ${made}/${page}
        COMMAND gzip -9nf ${made}/${page})
    list(APPEND made_files ${made}/${page}.gz)
endforeach()
foreach(shell bash zsh fish)
    list(APPEND make_pages COMMAND tideover completion ${shell} > ${made}/completion.${shell})
    list(APPEND made_files ${made}/completion.${shell})
endforeach()
add_custom_command(OUTPUT ${made_files} ${make_pages}
    COMMAND gzip -9nc ${CMAKE_SOURCE_DIR}/node/package/debian/changelog > ${made}/changelog.gz
    DEPENDS tideover node/package/debian/changelog VERBATIM)
add_custom_target(package_files ALL DEPENDS ${made_files})

install(TARGETS tideover RUNTIME DESTINATION bin)
install(FILES ${made}/tideover.1.gz DESTINATION share/man/man1)
install(FILES ${made}/tideover.conf.5.gz ${made}/tideover-policy.5.gz DESTINATION share/man/man5)
install(FILES ${made}/completion.bash DESTINATION share/bash-completion/completions RENAME tideover)
install(FILES ${made}/completion.zsh DESTINATION share/zsh/vendor-completions RENAME _tideover)
install(FILES ${made}/completion.fish DESTINATION share/fish/vendor_completions.d
    RENAME tideover.fish)
install(FILES node/package/tideover.service DESTINATION lib/systemd/system)
install(FILES node/package/sysusers.conf DESTINATION lib/sysusers.d RENAME tideover.conf)
install(FILES node/package/tideover.desktop DESTINATION share/applications)
install(FILES node/pages/icon.svg DESTINATION share/icons/hicolor/scalable/apps RENAME tideover.svg)
# as they lie in the source, so that their links hold
foreach(text README.md node/MANUAL.md node/OPERATIONS.md node/API.md node/sinks/README.md proto/formats/README.md
        proto/PROTOCOL.md proto/RULES.md store/FORMAT.md)
    get_filename_component(folder ${text} DIRECTORY)
    install(FILES ${text} DESTINATION share/doc/tideover/${folder})
endforeach()
install(DIRECTORY node/pages/shots DESTINATION share/doc/tideover/node/pages)
install(FILES node/package/debian/copyright DESTINATION share/doc/tideover)
install(FILES ${made}/changelog.gz DESTINATION share/doc/tideover)
install(DIRECTORY examples/monitoring DESTINATION share/doc/tideover/examples)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tideover)
set(CPACK_PACKAGE_CONTACT "The Tideover developers <tideover@example.org>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
    GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# dpkg-shlibdeps cannot see what is loaded when it is needed (node/libcurl.h).
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libcurl4 (>= 7.85) | libcurl4t64, systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS xdg-utils)
set(CPACK_DEBIAN_PACKAGE_SECTION misc)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "carries a library branch over an outage of its server
Circulation desks go on lending while the library's system (ILS) is away. Each
desk runs a node that records checkouts, discharges, renewals and new users
durably, and shares them, encrypted, with the other desks of the branch. When
the server is back, one elected desk uploads one merged, deduplicated log to
SirsiDynix Symphony, Evergreen, Koha, Alma, Aleph, Sierra, Destiny or SIP2.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/node/package/debian/postinst
    ${CMAKE_SOURCE_DIR}/node/package/debian/prerm ${CMAKE_SOURCE_DIR}/node/package/debian/postrm)
include(CPack)
